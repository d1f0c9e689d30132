import { useQuery } from '@tanstack/react-query';
import { Link, useNavigate, useParams, useSearch } from '@tanstack/react-router';
import { CalendarX, Download, Radio } from 'lucide-react';
import { formatBytes, formatCount, formatDuration, formatShare, formatShort } from '../../format';
import type { TrafficSearch } from '../../search';
import type { Schemas } from '../../server/api';
import { api, ask } from '../../server/api';
import type { ServiceName } from '../../server/names';
import type { Stretch } from '../../server/queries';
import { SERVICE_LABEL } from '../../server/names';
import { useKeyNames } from '../../server/keyNames';
import { seriesQuery, summaryQuery } from '../../server/queries';
import type { Span } from '../../server/span';
import { atSpan, spanName, spanOf, spanProblem, spanText } from '../../server/span';
import { chartLines } from '../../server/traffic';
import { Button } from '../../ui/Button';
import { Chart } from '../../ui/chart/Chart';
import { ChartSkeleton } from '../../ui/chart/ChartSkeleton';
import { csvText, download } from '../../ui/csv';
import { Empty } from '../../ui/Empty';
import { Loaded } from '../../ui/Loaded';
import { Panel } from '../../ui/Panel';
import { Segments } from '../../ui/Segments';
import { FigureLines } from '../../ui/Skeleton';
import type { Column } from '../../ui/Table';
import { Table } from '../../ui/Table';
import { Time } from '../../ui/Time';
import { TimePicker } from '../../ui/TimePicker';
import { TrafficFigures } from '../dashboard/TrafficPanel';

type ServiceStretch = Stretch & { service: ServiceName };

const BY = [
  { value: 'class', label: 'Class' },
  { value: 'status', label: 'Status' },
  { value: 'bandwidth', label: 'Bandwidth' },
] as const;
type By = (typeof BY)[number]['value'];
const OF = [
  { value: 'paths', label: 'Paths' },
  { value: 'keys', label: 'Keys' },
  { value: 'client_ips', label: 'Addresses' },
  { value: 'statuses', label: 'Statuses' },
] as const;

export function ServiceTraffic() {
  const { service: name } = useParams({ from: '/account/services/$service' });
  const search = useSearch({ from: '/account/services/$service/traffic' });
  const { by = 'class', of = 'paths' } = search;
  const navigate = useNavigate({ from: '/services/$service/traffic' });
  const show = (next: TrafficSearch) => void navigate({ search: next, replace: true, resetScroll: false });
  const showTime = (next: Span) => show(atSpan(search, next));
  const span = spanOf(search);
  const stretch = { ...span, service: name };
  const isShown = 'range' in span || spanProblem(span) === undefined;
  return (
    <>
      <div className="flex flex-wrap items-start justify-between gap-3">
        <TimePicker value={span} onChange={showTime} />
        <div className="flex items-center gap-3">
          <p className="text-[13px] text-muted">Times are UTC</p>
          {isShown && <SeriesFile stretch={stretch} by={by} />}
        </div>
      </div>
      {isShown ? (
        <>
          <Requests stretch={stretch} by={by} onBy={(next) => show({ ...search, by: next })} />
          <Percentiles stretch={stretch} />
          <Tops stretch={stretch} of={of} onOf={(next) => show({ ...search, of: next })} />
        </>
      ) : (
        <Panel title="Requests">
          <Empty Icon={CalendarX} title="This time cannot be shown" action={<Button onClick={() => showTime({ range: '24h' })}>Show the last 24 hours</Button>}>
            Correct the dates above.
          </Empty>
        </Panel>
      )}
    </>
  );
}

interface RequestsProps {
  stretch: ServiceStretch;
  by: By;
  onBy: (by: By) => void;
}

function Requests({ stretch, by, onBy }: RequestsProps) {
  const summary = useQuery(summaryQuery(stretch));
  return (
    <Panel title="Requests" aside={<Segments label="Drawn by" value={by} options={BY} onChange={onBy} />}>
      <Loaded query={summary} skeleton={<FigureLines chartHeight={306} />}>
        {({ current, previous, from, to }) => (
          <>
            {!('range' in stretch) && (
              <p className="border-b border-line px-4 py-2 text-xs text-muted sm:px-5">
                Counted in whole steps, from <Time at={from} /> to <Time at={to} />
              </p>
            )}
            <TrafficFigures current={current} previous={previous} />
            <div className="border-t border-line">{current.requests === 0 ? <Nothing name={stretch.service} /> : <SeriesChart stretch={stretch} by={by} />}</div>
          </>
        )}
      </Loaded>
    </Panel>
  );
}

/** What the chart draws, as a file. */
function SeriesFile({ stretch, by }: { stretch: ServiceStretch; by: By }) {
  const series = useQuery(seriesQuery(stretch, by)).data;
  const save = ({ from, step_s: stepS, lines }: Schemas['TrafficSeries']) => {
    const begin = Date.parse(from);
    const rows = (lines[0]?.values ?? []).map((_, step) => [new Date(begin + step * stepS * 1000).toISOString(), ...lines.map(({ values }) => String(values[step] ?? 0))]);
    download(`${stretch.service}-${by}-${spanName(stretch)}.csv`, csvText(['from', ...lines.map(({ name }) => name)], rows));
  };
  return (
    <Button icon={<Download aria-hidden="true" className="size-3.5" strokeWidth={1.75} />} disabled={series === undefined} onClick={() => series !== undefined && save(series)}>
      CSV
    </Button>
  );
}

function Nothing({ name }: { name: ServiceName }) {
  return (
    <Empty Icon={Radio} title="No requests in this time">
      Choose a longer time, or send a request to {SERVICE_LABEL[name]}: it appears within two seconds.
    </Empty>
  );
}

function SeriesChart({ stretch, by }: { stretch: Stretch; by: By }) {
  const series = useQuery(seriesQuery(stretch, by));
  const format = by === 'bandwidth' ? formatBytes : formatCount;
  return (
    <Loaded query={series} skeleton={<ChartSkeleton height={306} />}>
      {(value) => (
        <Chart
          title={`${by === 'bandwidth' ? 'Bandwidth' : `Requests by ${by}`}, ${spanText(stretch)}`}
          kind="bars"
          from={Date.parse(value.from)}
          stepS={value.step_s}
          lines={chartLines(value, by)}
          height={220}
          format={format}
          axis={by === 'bandwidth' ? formatBytes : formatShort}
        />
      )}
    </Loaded>
  );
}

function Percentiles({ stretch }: { stretch: Stretch }) {
  const query = useQuery({
    queryKey: ['traffic', 'percentiles', stretch],
    queryFn: ({ signal }) => ask(api.GET('/api/traffic/percentiles', { params: { query: { ...stretch } }, signal })),
  });
  return (
    <Panel title="Response time" aside={<span className="text-xs text-muted">Billable requests</span>}>
      <Loaded query={query} skeleton={<ChartSkeleton height={290} />}>
        {(value) => <PercentileChart value={value} />}
      </Loaded>
    </Panel>
  );
}

function PercentileChart({ value }: { value: Schemas['TrafficPercentiles'] }) {
  const lines = [
    { id: 'p50', label: 'p50', meaning: 'Half of the requests took no longer', color: '--class-burst', values: value.p50_ms },
    { id: 'p95', label: 'p95', meaning: '95 of 100 took no longer', color: '--class-guaranteed', values: value.p95_ms },
    { id: 'p99', label: 'p99', meaning: '99 of 100 took no longer', color: '--class-failed', values: value.p99_ms },
  ];
  if (value.p50_ms.every((one) => one === null)) return <p className="px-5 py-8 text-center text-[13px] text-muted">Nothing was timed in this time.</p>;
  return (
    <Chart
      title="Response time by percentile"
      kind="lines"
      from={Date.parse(value.from)}
      stepS={value.step_s}
      lines={lines}
      height={200}
      format={formatDuration}
      axis={formatDuration}
      legendValue={({ values }) => `up to ${formatDuration(Math.max(...values.map((one) => one ?? 0)))}`}
    />
  );
}

interface TopsProps {
  stretch: ServiceStretch;
  of: (typeof OF)[number]['value'];
  onOf: (of: (typeof OF)[number]['value']) => void;
}

const TOP_COLUMNS: Record<TopsProps['of'], string> = { paths: 'Path', keys: 'Key', client_ips: 'Address', statuses: 'Status' };

function Tops({ stretch, of, onOf }: TopsProps) {
  const keyName = useKeyNames(stretch.service);
  const query = useQuery({
    queryKey: ['traffic', 'tops', stretch, of],
    queryFn: ({ signal }) => ask(api.GET('/api/traffic/tops', { params: { query: { ...stretch, of, limit: '10' } }, signal })),
  });
  return (
    <Panel title="Most frequent" aside={<Segments label="Counted by" value={of} options={OF} onChange={onOf} />}>
      <Loaded query={query}>
        {({ items }) => (
          <Table
            caption={`Most frequent by ${of}`}
            columns={topColumns(stretch, of, items, keyName)}
            rows={items}
            rowKey={({ value }) => value}
            empty={<p className="px-5 py-8 text-center text-[13px] text-muted">No requests in this time.</p>}
          />
        )}
      </Loaded>
    </Panel>
  );
}

function topColumns({ service, ...span }: ServiceStretch, of: TopsProps['of'], items: readonly Schemas['TrafficTop'][], keyName: (fingerprint: string) => string): Column<Schemas['TrafficTop']>[] {
  const all = items.reduce((sum, { requests }) => sum + requests, 0);
  return [
    {
      name: TOP_COLUMNS[of],
      cell: ({ value }) =>
        of === 'client_ips' || value === '0' ? (
          <span className="font-mono text-xs break-all">{value === '0' ? 'None' : value}</span>
        ) : (
          <Link to="/services/$service/logs" params={{ service }} search={{ ...span, ...filterOf(of, value) }} className="font-mono text-xs break-all text-link hover:underline">
            {of === 'keys' ? keyName(value) : value}
          </Link>
        ),
    },
    { name: 'Requests', right: true, by: ({ requests }) => requests, cell: ({ requests }) => formatCount(requests) },
    { name: 'Share of these', right: true, wide: true, cell: ({ requests }) => formatShare(requests, all) },
    { name: 'Errors', right: true, by: ({ errors }) => errors, cell: ({ errors }) => formatCount(errors) },
    { name: 'Sent', right: true, wide: true, by: ({ bytes_out: bytes }) => bytes, cell: ({ bytes_out: bytes }) => formatBytes(bytes) },
  ];
}

function filterOf(of: TopsProps['of'], value: string): { path: string } | { key: string } | { status: string } {
  if (of === 'keys') return { key: value };
  return of === 'statuses' ? { status: value } : { path: value };
}
