import { useQuery } from '@tanstack/react-query';
import { Link, useParams } from '@tanstack/react-router';
import { formatCount } from '../../format';
import type { ServiceName } from '../../server/names';
import type { Service } from '../../server/queries';
import { billingQuery, keyUseQuery, seriesQuery, serviceQuery, summaryQuery } from '../../server/queries';
import { Figure, Figures } from '../../ui/Figures';
import { Loaded } from '../../ui/Loaded';
import { Panel } from '../../ui/Panel';
import { Boxes, FigureLines } from '../../ui/Skeleton';
import { ClassChart } from '../dashboard/ClassChart';
import { TrafficFigures } from '../dashboard/TrafficPanel';
import { FirstRequest } from './FirstRequest';
import { PlanPanel } from './PlanPanel';
import { TierCards } from './TierCards';

export function ServiceOverview() {
  const { service: name } = useParams({ from: '/account/services/$service' });
  const query = useQuery(serviceQuery(name));
  return (
    <Loaded query={query} skeleton={<Boxes count={3} height={260} />}>
      {(service) => (service.state === 'not_provisioned' ? <TierCards name={name} service={service} /> : <Subscribed name={name} service={service} />)}
    </Loaded>
  );
}

function Subscribed({ name, service }: { name: ServiceName; service: Service }) {
  const stretch = { range: '24h', service: name } as const;
  const summary = useQuery(summaryQuery(stretch));
  const series = useQuery(seriesQuery(stretch, 'class'));
  const keys = useQuery(keyUseQuery(name)).data;
  const simulated = useQuery(billingQuery).data?.is_simulated_chain;
  return (
    <>
      <Panel
        title="Last 24 hours"
        aside={
          <Link to="/services/$service/traffic" params={{ service: name }} className="text-[13px] text-link hover:underline">
            All traffic
          </Link>
        }
      >
        <Loaded query={summary} skeleton={<FigureLines chartHeight={286} />}>
          {({ current, previous }) =>
            current.requests === 0 ? <FirstRequest name={name} service={service} /> : <TrafficFigures current={current} previous={previous} />
          }
        </Loaded>
        {(summary.data?.current.requests ?? 0) > 0 && <ClassChart series={series} height={180} />}
      </Panel>
      <div className="grid items-start gap-6 lg:grid-cols-2">
        <PlanPanel name={name} service={service} />
        <Panel title="Limits in force" aside={simulated === undefined ? undefined : <span className="text-xs text-muted">Per region</span>}>
          <Figures columns={2}>
            <Figure label="Guaranteed" note="Always served">
              {formatCount(service.guaranteed_per_s)}/s
            </Figure>
            <Figure label="Burst" note={service.burst ? 'Served as far as there is room' : 'Off'}>
              {service.burst ? `+ ${formatCount(service.burst_per_s)}/s` : '–'}
            </Figure>
            <Figure label="API keys" note={<KeysLink name={name} />}>
              {keys === undefined ? '–' : formatCount(keys.items.length)}
            </Figure>
            <Figure label="IP allowlist" note={service.ip_allowlist_enabled ? 'Others are refused' : 'Every address may ask'}>
              {service.ip_allowlist_enabled ? formatCount(service.ip_allowlist.length) : 'Off'}
            </Figure>
          </Figures>
        </Panel>
      </div>
    </>
  );
}

function KeysLink({ name }: { name: ServiceName }) {
  return (
    <Link to="/services/$service/keys" params={{ service: name }} className="text-link hover:underline">
      Manage keys
    </Link>
  );
}
