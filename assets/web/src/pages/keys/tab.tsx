import { useQuery } from '@tanstack/react-query';
import { useParams } from '@tanstack/react-router';
import { serviceQuery } from '../../server/queries';
import { Loaded } from '../../ui/Loaded';
import { KeysPanel } from './KeysPanel';

export function ServiceKeys() {
  const { service: name } = useParams({ from: '/account/services/$service' });
  const query = useQuery(serviceQuery(name));
  return <Loaded query={query}>{(service) => <KeysPanel name={name} service={service} />}</Loaded>;
}
