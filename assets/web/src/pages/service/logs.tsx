import { useInfiniteQuery, useQueryClient } from '@tanstack/react-query';
import { Link, useNavigate, useParams, useSearch } from '@tanstack/react-router';
import { Download, Pause, Play, ScrollText, X } from 'lucide-react';
import { useState } from 'react';
import { formatBytes, formatDuration } from '../../format';
import type { LogsSearch } from '../../search';
import { api, ask } from '../../server/api';
import type { ServiceName } from '../../server/names';
import { useKeyNames } from '../../server/keyNames';
import { atSpan, spanOf } from '../../server/span';
import { CLASS_FILTERS, classOf } from '../../server/traffic';
import { Button, buttonClass } from '../../ui/Button';
import { Dot } from '../../ui/chart/Chart';
import { Empty } from '../../ui/Empty';
import { Select, TextField } from '../../ui/Field';
import { Old } from '../../ui/Loaded';
import type { Paged } from '../../ui/PagedList';
import { MoreButton, PagedList, rowsOf } from '../../ui/PagedList';
import { Panel } from '../../ui/Panel';
import { Lines } from '../../ui/Skeleton';
import type { Column } from '../../ui/Table';
import { Table } from '../../ui/Table';
import { Time } from '../../ui/Time';
import { TimePicker } from '../../ui/TimePicker';
import { RequestDialog } from './RequestDialog';
import { useTail } from './tail';
import type { LoggedRequest } from './tailRows';
import { rowKey } from './tailRows';

const CLASSES = [{ value: '', label: 'Any class' }, ...CLASS_FILTERS];
const STATUSES = [
  { value: '', label: 'Any status' },
  { value: '2xx', label: '2xx' },
  { value: '3xx', label: '3xx' },
  { value: '4xx', label: '4xx' },
  { value: '5xx', label: '5xx' },
  { value: 'none', label: 'No answer' },
];

/** A filter as the API takes it; without any time, the last day. */
function asked(name: ServiceName, { class: kind, status, path, key, ...time }: LogsSearch) {
  return {
    service: name,
    ...spanOf(time),
    ...(kind === undefined ? {} : { class: kind }),
    ...(status === undefined ? {} : { status }),
    ...(path === undefined ? {} : { path }),
    ...(key === undefined ? {} : { key }),
  };
}

export function ServiceLogs() {
  const { service: name } = useParams({ from: '/account/services/$service' });
  const search = useSearch({ from: '/account/services/$service/logs' });
  const navigate = useNavigate({ from: '/services/$service/logs' });
  const go = (next: LogsSearch) => void navigate({ search: next, replace: true, resetScroll: false });
  const [tailing, setTailing] = useState(false);
  const filter = asked(name, search);
  const pages = useInfiniteQuery({
    // Not under `traffic`: the list would be asked for anew with every request.
    queryKey: ['requests', filter],
    queryFn: ({ pageParam, signal }) =>
      ask(api.GET('/api/traffic/requests', { params: { query: { ...filter, limit: '50', ...(pageParam === '' ? {} : { cursor: pageParam }) } }, signal })),
    initialPageParam: '',
    getNextPageParam: (last) => last.next_cursor,
  });
  return (
    <>
      <Filters name={name} search={search} onChange={go} />
      {tailing ? (
        <TailPanel key={name} name={name} onStop={() => setTailing(false)} onOpen={(row) => go({ ...search, request: row.request_id })} />
      ) : (
        <Panel title="Requests" aside={<LogButtons filter={filter} onTail={() => setTailing(true)} />}>
          <Found pages={pages} onOpen={(row) => go({ ...search, request: row.request_id })} onReset={() => go({})} />
        </Panel>
      )}
      {search.request !== undefined && (
        <RequestDialog
          requestId={search.request}
          onClose={() => {
            const { request: _, ...rest } = search;
            go(rest);
          }}
        />
      )}
    </>
  );
}

interface FoundProps {
  pages: Paged<LoggedRequest>;
  onOpen: (row: LoggedRequest) => void;
  onReset: () => void;
}

function Found({ pages, onOpen, onReset }: FoundProps) {
  const rows = rowsOf(pages);
  // A page may be empty and not the last: so many requests are looked through for each.
  if (rows.length === 0 && pages.hasNextPage) {
    return (
      <>
        <Old query={pages} />
        <Empty Icon={ScrollText} title="None among the newest ones" action={<MoreButton pages={pages}>Look further</MoreButton>}>
          Older requests of this time were not looked through yet.
        </Empty>
      </>
    );
  }
  return (
    <PagedList pages={pages} skeleton={<Lines rows={8} />}>
      {() => (
        <Table
          caption="Requests"
          dense
          columns={COLUMNS}
          rows={rows}
          rowKey={rowKey}
          onOpen={onOpen}
          empty={
            <Empty Icon={ScrollText} title="No such requests" action={<Button onClick={onReset}>Reset the filters</Button>}>
              None in this time matches the filters.
            </Empty>
          }
        />
      )}
    </PagedList>
  );
}

function LogButtons({ filter, onTail }: { filter: ReturnType<typeof asked>; onTail: () => void }) {
  const client = useQueryClient();
  const file = (format: 'csv' | 'parquet') => `/api/traffic/export?${new URLSearchParams({ ...filter, format }).toString()}`;
  return (
    <div className="flex flex-wrap gap-2">
      <Button onClick={() => void client.invalidateQueries({ queryKey: ['requests'] })}>Refresh</Button>
      <Button icon={<Play aria-hidden="true" className="size-3.5" strokeWidth={1.75} />} onClick={onTail}>
        Live
      </Button>
      <a href={file('csv')} download className={`${buttonClass()} max-sm:hidden`}>
        <Download aria-hidden="true" className="size-3.5" strokeWidth={1.75} />
        CSV
      </a>
      <a href={file('parquet')} download className={`${buttonClass()} max-sm:hidden`}>
        Parquet
      </a>
    </div>
  );
}

interface FiltersProps {
  name: ServiceName;
  search: LogsSearch;
  onChange: (search: LogsSearch) => void;
}

function Filters({ name, search, onChange }: FiltersProps) {
  const keyName = useKeyNames(name);
  const applied = search.path ?? '';
  const [path, setPath] = useState(applied);
  // What is filtered by can change elsewhere, too: by a reset, or by going back.
  const [known, setKnown] = useState(applied);
  if (known !== applied) {
    setKnown(applied);
    setPath(applied);
  }
  const set = (change: Partial<Record<keyof LogsSearch, string>>) =>
    onChange(Object.fromEntries(Object.entries({ ...search, ...change }).filter(([, value]) => value !== '' && value !== undefined)) as LogsSearch);
  return (
    <div className="flex flex-wrap items-end gap-3">
      {/* Two instants take a line of their own. */}
      <div className="max-w-full min-w-0 has-[form]:basis-full">
        <TimePicker value={spanOf(search)} onChange={(span) => onChange(atSpan(search, span))} />
      </div>
      <form
        role="search"
        className="w-full sm:w-56"
        onSubmit={(event) => {
          event.preventDefault();
          set({ path });
        }}
      >
        <TextField label={<span className="sr-only">Path begins with</span>} placeholder="Path begins with …" value={path} onChange={setPath} onBlur={() => path !== applied && set({ path })} />
      </form>
      <div className="w-36">
        <Select label="Class" hideLabel value={isOneOf(CLASSES, search.class) ? search.class : ''} options={CLASSES} onChange={(value) => set({ class: value })} />
      </div>
      <div className="w-32">
        <Select label="Status" hideLabel value={isOneOf(STATUSES, search.status) ? search.status : ''} options={STATUSES} onChange={(value) => set({ status: value })} />
      </div>
      {search.key !== undefined && <Chip text={<>Key {keyName(search.key)}</>} onRemove={() => set({ key: '' })} />}
      {search.class !== undefined && !isOneOf(CLASSES, search.class) && <Chip text={<>Class {search.class}</>} onRemove={() => set({ class: '' })} />}
      {search.status !== undefined && !isOneOf(STATUSES, search.status) && <Chip text={<>Status {search.status}</>} onRemove={() => set({ status: '' })} />}
    </div>
  );
}

/** Addresses filter by more than the lists offer. */
function isOneOf(options: readonly { value: string }[], word: string | undefined): word is string {
  return options.some(({ value }) => value === word);
}

function Chip({ text, onRemove }: { text: React.ReactNode; onRemove: () => void }) {
  return (
    <span className="flex h-8 items-center gap-1 rounded border border-info-line bg-info pl-2.5 pr-1 text-[13px]">
      {text}
      <button type="button" aria-label="Remove this filter" onClick={onRemove} className="grid size-6 place-items-center rounded text-muted hover:text-ink">
        <X aria-hidden="true" className="size-3.5" />
      </button>
    </span>
  );
}

function TailPanel({ name, onStop, onOpen }: { name: ServiceName; onStop: () => void; onOpen: (row: LoggedRequest) => void }) {
  const { rows, dropped, isOpen, isRefused } = useTail(name);
  const state = isOpen ? 'Following' : isRefused ? 'Not at present' : 'Connecting';
  return (
    <Panel
      title="Requests, live"
      aside={
        <div className="flex items-center gap-3">
          <span className="flex items-center gap-2 text-[13px] text-muted">
            <span aria-hidden="true" className={`size-2 rounded-full ${isOpen ? 'bg-good motion-safe:animate-pulse' : 'border-2 border-warn'}`} />
            {state}
          </span>
          <Button icon={<Pause aria-hidden="true" className="size-3.5" strokeWidth={1.75} />} onClick={onStop}>
            Stop
          </Button>
        </div>
      }
    >
      {dropped > 0 && <p className="border-b border-line px-5 py-2 text-xs text-muted">There are more than can be shown: {dropped} were left out. They are all in the list when you stop.</p>}
      <Table
        caption="Requests as they come"
        dense
        columns={COLUMNS}
        rows={rows}
        rowKey={rowKey}
        onOpen={onOpen}
        empty={
          <Empty Icon={Play} title={isOpen ? 'Waiting for requests' : state}>
            {isRefused ? 'Too many follow requests right now. It is tried again by itself; the list of requests is there when you stop.' : 'Each appears here within two seconds. Filters do not apply here.'}
          </Empty>
        }
      />
    </Panel>
  );
}

const COLUMNS: Column<LoggedRequest>[] = [
  { name: 'When', cell: ({ at }) => <Time at={at} show="second" /> },
  { name: 'Status', cell: ({ status }) => <Status status={status} /> },
  {
    name: 'Request',
    cell: ({ method, path, request_id: id }) => (
      <Link
        from="/services/$service/logs"
        search={(before) => ({ ...before, request: id })}
        replace
        resetScroll={false}
        className="block max-w-[44vw] truncate md:max-w-[380px] font-mono text-xs hover:underline"
        title={`${method} ${path}`}
      >
        <span className="text-muted">{method}</span> {path}
      </Link>
    ),
  },
  {
    name: 'Class',
    wide: true,
    cell: ({ class: name }) => {
      const { label, color, meaning } = classOf(name);
      return (
        <span className="flex items-center gap-1.5 whitespace-nowrap" title={meaning}>
          <Dot color={color} />
          {label}
        </span>
      );
    },
  },
  { name: 'Time', right: true, wide: true, cell: ({ times }) => formatDuration(times.total_ms ?? null) },
  { name: 'Sent', right: true, wide: true, cell: ({ bytes_out: bytes }) => formatBytes(bytes) },
  { name: 'Client', wide: true, cell: ({ client_ip: ip }) => <span className="font-mono text-xs">{ip}</span> },
];

export function Status({ status }: { status: number | undefined }) {
  const tone = status === undefined || status >= 500 ? 'text-bad' : status >= 400 ? 'text-warn' : 'text-ink';
  return <span className={`font-medium ${tone}`}>{status ?? 'None'}</span>;
}
