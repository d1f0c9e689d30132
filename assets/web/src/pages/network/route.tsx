import { useQuery } from '@tanstack/react-query';
import { useNavigate, useSearch } from '@tanstack/react-router';
import { Globe } from 'lucide-react';
import { formatBytes, formatCount, formatShare } from '../../format';
import type { Schemas } from '../../server/api';
import { api, ask } from '../../server/api';
import { useReachable } from '../../server/connection';
import { SERVICE_LABEL, isServiceName, serviceLabel } from '../../server/names';
import { networkQuery, servicesQuery, shownState } from '../../server/queries';
import type { Tone } from '../../ui/Badge';
import { Badge } from '../../ui/Badge';
import { Empty } from '../../ui/Empty';
import { Loaded } from '../../ui/Loaded';
import { Page } from '../../ui/Page';
import { Panel } from '../../ui/Panel';
import { RangePicker } from '../../ui/RangePicker';
import { StateBadge } from '../../ui/StateBadge';
import type { Column } from '../../ui/Table';
import { Table } from '../../ui/Table';
import { Time } from '../../ui/Time';

type Gateway = Schemas['NetworkGateway'];
type Freshness = Schemas['NetworkService'];
type Share = Schemas['TrafficGateway'];

const ASK_EVERY_MS = 10_000;

export function NetworkPage() {
  const { range = '24h' } = useSearch({ from: '/account/network' });
  const navigate = useNavigate({ from: '/network' });
  const shares = useQuery({
    queryKey: ['traffic', 'gateways', range],
    queryFn: ({ signal }) => ask(api.GET('/api/traffic/gateways', { params: { query: { range } }, signal })),
  });
  return (
    <Page eyebrow="Help" title="Network status" about="Whether the control plane answers, your services are on, and how the gateways are that serve you.">
      <div className="grid gap-6 lg:grid-cols-2">
        <ControlPlane />
        <Services />
      </div>
      <Gateways />
      <Panel title="Your requests by gateway" aside={<RangePicker value={range} onChange={(next) => void navigate({ search: { range: next }, replace: true })} />}>
        <Loaded query={shares}>
          {({ items }) => (
            <Table
              caption="Your requests by gateway"
              columns={SHARES}
              rows={items}
              rowKey={({ gateway }) => String(gateway)}
              empty={
                <Empty Icon={Globe} title="No gateway has served you in this time">
                  Gateways appear with the first request that they serve you.
                </Empty>
              }
            />
          )}
        </Loaded>
      </Panel>
    </Page>
  );
}

function Gateways() {
  const network = useQuery(networkQuery);
  return (
    <Panel title="Gateways">
      <Loaded query={network}>
        {({ gateways }) => (
          <Table
            caption="Gateways"
            columns={GATEWAYS}
            rows={gateways}
            rowKey={({ gateway }) => String(gateway)}
            empty={
              <Empty Icon={Globe} title="No gateway is watched">
                The operator has connected none yet.
              </Empty>
            }
          />
        )}
      </Loaded>
    </Panel>
  );
}

const STATE: Record<string, { tone: Tone; label: string }> = {
  healthy: { tone: 'good', label: 'Healthy' },
  degraded: { tone: 'warn', label: 'Degraded' },
  unreachable: { tone: 'bad', label: 'Unreachable' },
};

const GATEWAYS: Column<Gateway>[] = [
  {
    name: 'Gateway',
    by: ({ gateway }) => gateway,
    cell: ({ gateway, region }) => (
      <>
        Gateway {gateway}
        {region !== undefined && <span className="block text-xs text-muted">{region}</span>}
      </>
    ),
  },
  {
    name: 'State',
    by: ({ state }) => state,
    cell: ({ state }) => <Badge tone={STATE[state]?.tone ?? 'idle'}>{STATE[state]?.label ?? state}</Badge>,
  },
  { name: 'Since', wide: true, by: ({ since }) => since, cell: ({ since }) => <Time at={since} /> },
  { name: 'Keys and limits', cell: ({ services }) => <Limits services={services} /> },
];

/** Whether the gateway works with every change, and with those of which services it does not. */
function Limits({ services }: { services: Freshness[] }) {
  const late = services.filter(({ limits }) => limits === 'updating');
  if (services.some(({ limits }) => limits === 'unknown')) return <span className="text-muted">Not known</span>;
  if (late.length === 0) return 'All in force';
  const since = late.flatMap(({ updating_since: at }) => at ?? []).toSorted()[0];
  return (
    <>
      Updating {late.map(({ service }) => serviceLabel(service)).join(', ')}
      {since !== undefined && (
        <span className="block text-xs text-muted">
          since <Time at={since} show="second" />
        </span>
      )}
    </>
  );
}

const SHARES: Column<Share>[] = [
  { name: 'Gateway', by: ({ gateway }) => gateway, cell: ({ gateway }) => `Gateway ${gateway}` },
  { name: 'Requests', right: true, by: ({ requests }) => requests, cell: ({ requests }) => formatCount(requests) },
  { name: 'Success rate', right: true, cell: ({ requests, errors }) => formatShare(requests - errors, requests) },
  { name: 'Sent', right: true, wide: true, by: ({ bytes_out: bytes }) => bytes, cell: ({ bytes_out: bytes }) => formatBytes(bytes) },
  { name: 'Newest request', right: true, wide: true, by: ({ last_request_at: at }) => at, cell: ({ last_request_at: at }) => <Time at={at} /> },
];

function ControlPlane() {
  const reachable = useReachable();
  const ready = useQuery({
    queryKey: ['ready'],
    queryFn: async ({ signal }) => {
      const response = await fetch('/ready', { signal });
      return { ok: response.ok };
    },
    refetchInterval: ASK_EVERY_MS,
    retry: false,
  });
  const ok = reachable && ready.data?.ok === true;
  return (
    <Panel title="Control plane">
      <ul className="divide-y divide-line text-[13px]">
        <Row label="API and dashboard">{reachable ? <Badge tone="good">Answers</Badge> : <Badge tone="bad">Cannot be reached</Badge>}</Row>
        <Row label="Counting, billing and stores">{ready.isPending ? <Badge tone="wait">Asking</Badge> : ok ? <Badge tone="good">Ready</Badge> : <Badge tone="bad">Not ready</Badge>}</Row>
      </ul>
    </Panel>
  );
}

/** Whether the gateways work with a service as it is here. */
const SYNC: Record<string, string> = { synced: 'In force', pending: 'Updating …', unknown: 'No gateway reached' };

function Services() {
  const services = useQuery(servicesQuery);
  return (
    <Panel title="Your services">
      <Loaded query={services}>
        {(items) => (
          <ul className="divide-y divide-line text-[13px]">
            {items.map(
              (service) =>
                isServiceName(service.service) && (
                  <Row key={service.service} label={SERVICE_LABEL[service.service]}>
                    <span className="flex flex-wrap items-center justify-end gap-x-4">
                      {service.state !== 'not_provisioned' && <span className="text-muted">{SYNC[service.sync] ?? service.sync}</span>}
                      <StateBadge state={shownState(service)} />
                    </span>
                  </Row>
                ),
            )}
          </ul>
        )}
      </Loaded>
    </Panel>
  );
}

function Row({ label, children }: { label: string; children: React.ReactNode }) {
  return (
    <li className="flex min-h-11 items-center justify-between gap-4 px-4 sm:px-5">
      {label}
      {children}
    </li>
  );
}
