import { Link } from '@tanstack/react-router';
import { Radio } from 'lucide-react';
import type { ServiceName } from '../../server/names';
import type { Service } from '../../server/queries';
import { buttonClass } from '../../ui/Button';
import { Empty } from '../../ui/Empty';

export function FirstRequest({ name, service }: { name: ServiceName; service: Service }) {
  return (
    <Empty
      Icon={Radio}
      title="No requests in the last 24 hours"
      action={
        <Link to="/services/$service/keys" params={{ service: name }} className={buttonClass(service.keys_work ? 'primary' : 'default')}>
          Go to the keys
        </Link>
      }
    >
      {service.keys_work ? 'Create a key, send a request with it, and watch it appear here.' : 'Keys work once the service is paid for and turned on.'}
    </Empty>
  );
}
