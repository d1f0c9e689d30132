import { useQuery } from '@tanstack/react-query';
import { Link, Outlet, useParams } from '@tanstack/react-router';
import type { ServiceName } from '../../server/names';
import { SERVICE_LABEL, tierLabel } from '../../server/names';
import { billingQuery, isUpdating, serviceQuery } from '../../server/queries';
import { Banner } from '../../ui/Banner';
import { Page } from '../../ui/Page';
import { RemedyLink } from '../../ui/Remedy';
import { StateBadge } from '../../ui/StateBadge';
import { Updating } from '../../ui/Updating';
import { TAB, TAB_ACTIVE, Tabs } from '../../ui/Tabs';
import { PowerButton } from './PowerButton';

const ABOUT: Record<ServiceName, string> = {
  seal: 'Key servers that give out decryption keys by access rules on Sui.',
  grpc: 'Sui full nodes by gRPC: read, simulate, execute and subscribe.',
  graphql: 'Sui’s GraphQL: objects, history and packages in one query.',
};

/** What the tabs of a service have in common: its name, state, what is wrong with it, and the tabs. */
export function ServiceFrame() {
  const { service: name } = useParams({ from: '/account/services/$service' });
  const service = useQuery(serviceQuery(name)).data;
  const billing = useQuery(billingQuery).data;
  const isUnpaid = service?.state === 'suspended_no_payment' || (service?.state === 'disabled' && (billing?.owed_micros ?? 0) > 0);
  const subscribed = service !== undefined && service.state !== 'not_provisioned';
  return (
    <Page
      eyebrow="Services"
      title={SERVICE_LABEL[name]}
      about={
        subscribed && service.tier !== undefined ? (
          <span className="flex flex-wrap items-center gap-x-4 gap-y-1">
            <StateBadge state={service.state} />
            {tierLabel(service.tier)} tier
            {isUpdating(service) && <Updating />}
          </span>
        ) : (
          ABOUT[name]
        )
      }
      actions={subscribed ? <PowerButton name={name} service={service} /> : undefined}
      tabs={<ServiceTabs name={name} />}
    >
      {service?.banner !== undefined && (
        <Banner tone={service.state === 'suspended_no_payment' ? 'bad' : 'warn'} title={service.banner} action={isUnpaid ? <RemedyLink shortfall={billing?.shortfall} /> : undefined} />
      )}
      <Outlet />
    </Page>
  );
}

function ServiceTabs({ name }: { name: ServiceName }) {
  const params = { service: name };
  const shared = { params, className: TAB, activeProps: TAB_ACTIVE, activeOptions: { includeSearch: false } } as const;
  return (
    <Tabs label={`${SERVICE_LABEL[name]} pages`}>
      <li>
        <Link to="/services/$service" {...shared} activeOptions={{ exact: true, includeSearch: false }}>
          Overview
        </Link>
      </li>
      <li>
        <Link to="/services/$service/traffic" {...shared}>
          Traffic
        </Link>
      </li>
      <li>
        <Link to="/services/$service/keys" {...shared}>
          API keys
        </Link>
      </li>
      {name === 'seal' && (
        <li>
          <Link to="/services/$service/seal-keys" {...shared}>
            Seal keys
          </Link>
        </li>
      )}
      <li>
        <Link to="/services/$service/logs" {...shared}>
          Logs
        </Link>
      </li>
      <li>
        <Link to="/services/$service/settings" {...shared}>
          Settings
        </Link>
      </li>
    </Tabs>
  );
}
