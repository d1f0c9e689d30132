import { useQuery } from '@tanstack/react-query';
import { Link, Outlet, useParams, useRouterState } from '@tanstack/react-router';
import type { ServiceName } from '../../server/names';
import { SERVICE_ABOUT, SERVICE_LABEL, tierLabel } from '../../server/names';
import { billingQuery, isUpdating, serviceQuery, shownState } from '../../server/queries';
import { Banner } from '../../ui/Banner';
import { Page } from '../../ui/Page';
import { RemedyLink } from '../../ui/Remedy';
import { StateBadge } from '../../ui/StateBadge';
import { Updating } from '../../ui/Updating';
import { TAB, TAB_ACTIVE, Tabs } from '../../ui/Tabs';
import { PowerButton } from './PowerButton';

/** What the tabs of a service have in common: its name, state, what is wrong with it, and the tabs. */
export function ServiceFrame() {
  const { service: name } = useParams({ from: '/account/services/$service' });
  const service = useQuery(serviceQuery(name)).data;
  const billing = useQuery(billingQuery).data;
  const isUnpaid = service?.state === 'suspended_no_payment' || (service?.awaits_payment === true && (billing?.owed_micros ?? 0) > 0);
  const subscribed = service !== undefined && service.state !== 'not_provisioned';
  return (
    <Page
      eyebrow="Services"
      title={SERVICE_LABEL[name]}
      part={useTab(name)}
      about={
        subscribed && service.tier !== undefined ? (
          <span className="flex flex-wrap items-center gap-x-4 gap-y-1">
            <StateBadge state={shownState(service)} />
            {tierLabel(service.tier)} tier
            {isUpdating(service) && <Updating />}
          </span>
        ) : (
          SERVICE_ABOUT[name]
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

const TABS = [
  { to: '/services/$service', label: 'Overview' },
  { to: '/services/$service/traffic', label: 'Traffic' },
  { to: '/services/$service/keys', label: 'API keys' },
  { to: '/services/$service/seal-keys', label: 'Seal keys' },
  { to: '/services/$service/logs', label: 'Logs' },
  { to: '/services/$service/settings', label: 'Settings' },
] as const;

function ServiceTabs({ name }: { name: ServiceName }) {
  return (
    <Tabs label={`${SERVICE_LABEL[name]} pages`}>
      {TABS.filter(({ label }) => label !== 'Seal keys' || name === 'seal').map(({ to, label }) => (
        <li key={to}>
          <Link to={to} params={{ service: name }} className={TAB} activeProps={TAB_ACTIVE} activeOptions={{ exact: to === '/services/$service', includeSearch: false }}>
            {label}
          </Link>
        </li>
      ))}
    </Tabs>
  );
}

/** The tab that is open. */
function useTab(name: ServiceName): string | undefined {
  const path = useRouterState({ select: ({ location }) => location.pathname });
  return TABS.find(({ to }) => to.replace('$service', name) === path)?.label;
}
