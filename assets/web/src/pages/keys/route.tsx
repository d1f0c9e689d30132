import { useQuery } from '@tanstack/react-query';
import { SERVICE_LABEL, isServiceName } from '../../server/names';
import { servicesQuery } from '../../server/queries';
import { Loaded } from '../../ui/Loaded';
import { Page } from '../../ui/Page';
import { Boxes } from '../../ui/Skeleton';
import { KeysPanel } from './KeysPanel';

export function AllKeysPage() {
  const services = useQuery(servicesQuery);
  return (
    <Page eyebrow="Account" title="API keys" about="Every key of every service. A change is in force at the gateways within a second.">
      <Loaded query={services} skeleton={<Boxes count={3} height={180} className="grid gap-6" />}>
        {(items) => (
          <>
            {items.map((service) => isServiceName(service.service) && <KeysPanel key={service.service} name={service.service} service={service} title={SERVICE_LABEL[service.service]} />)}
          </>
        )}
      </Loaded>
    </Page>
  );
}
