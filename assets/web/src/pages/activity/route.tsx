import { useInfiniteQuery } from '@tanstack/react-query';
import { useNavigate, useSearch } from '@tanstack/react-router';
import { Activity as ActivityIcon } from 'lucide-react';
import type { Schemas } from '../../server/api';
import { api, ask } from '../../server/api';
import { everyItem } from '../../server/pages';
import { CsvButton } from '../../ui/CsvButton';
import { Copy } from '../../ui/Copy';
import { Empty } from '../../ui/Empty';
import { TextField } from '../../ui/Field';
import { Page } from '../../ui/Page';
import { PagedList, rowsOf } from '../../ui/PagedList';
import { Panel } from '../../ui/Panel';
import { Lines } from '../../ui/Skeleton';
import type { Column } from '../../ui/Table';
import { Table } from '../../ui/Table';
import { Time } from '../../ui/Time';
import { actionText, detailText } from './text';

type Entry = Schemas['Activity'];

function entriesFrom(cursor = '', signal: AbortSignal | null = null) {
  return ask(api.GET('/api/activity', { params: { query: { limit: 200, ...(cursor === '' ? {} : { cursor }) } }, signal }));
}

export function ActivityPage() {
  const { find = '' } = useSearch({ from: '/account/activity' });
  const navigate = useNavigate({ from: '/activity' });
  const pages = useInfiniteQuery({
    queryKey: ['activity'],
    queryFn: ({ pageParam, signal }) => entriesFrom(pageParam, signal),
    initialPageParam: '',
    getNextPageParam: (last) => last.next_cursor,
  });
  const rows = found(rowsOf(pages), find);
  return (
    <Page
      eyebrow="Account"
      title="Activity"
      about="Everything that was done to your account. The log can only grow: each entry seals the one before."
      actions={
        <CsvButton
          name="activity.csv"
          header={FILE_COLUMNS}
          disabled={rows.length === 0 && !pages.hasNextPage}
          rows={async () => found(await everyItem(entriesFrom), find).map(cellsOf)}
        />
      }
    >
      <div className="max-w-sm">
        <TextField
          label={<span className="sr-only">Find in the activity</span>}
          placeholder="Find an action, a name, an address …"
          type="search"
          value={find}
          onChange={(next) => void navigate({ search: next === '' ? {} : { find: next }, replace: true })}
        />
      </div>
      <Panel title="Activity" aside={pages.hasNextPage && find !== '' ? <span className="text-xs text-muted">Looked for in what is loaded</span> : undefined}>
        <PagedList pages={pages} skeleton={<Lines rows={8} />}>
          {() => (
            <Table
              caption="Activity"
              columns={COLUMNS}
              rows={rows}
              rowKey={({ activity_id: id }) => String(id)}
              empty={
                <Empty Icon={ActivityIcon} title={find === '' ? 'Nothing was done yet' : 'Nothing like that'}>
                  {find === '' ? 'Signing in, keys, settings and payments appear here.' : 'Try another word, or load older entries.'}
                </Empty>
              }
            />
          )}
        </PagedList>
      </Panel>
    </Page>
  );
}

const FILE_COLUMNS = ['at', 'action', 'subject', 'actor', 'ip', 'details', 'hash'];

function cellsOf({ at, action, subject, actor, ip, details, hash }: Entry): string[] {
  return [at, action, subject, actor, ip, JSON.stringify(details), hash];
}

function found(entries: Entry[], find: string): Entry[] {
  return find === '' ? entries : entries.filter((entry) => textOf(entry).includes(find.toLowerCase()));
}

function textOf(entry: Entry): string {
  return `${actionText(entry.action)} ${entry.action} ${entry.subject} ${entry.ip} ${entry.actor} ${detailText(entry)}`.toLowerCase();
}

const COLUMNS: Column<Entry>[] = [
  { name: 'When', cell: ({ at }) => <Time at={at} show="second" /> },
  {
    name: 'What',
    cell: (entry) => (
      <div>
        <p className="font-medium">{actionText(entry.action)}</p>
        <p className="max-w-[48vw] truncate md:max-w-[420px] text-xs text-muted" title={detailText(entry)}>
          {detailText(entry)}
        </p>
      </div>
    ),
  },
  { name: 'By', wide: true, cell: ({ actor }) => <span title={actor}>{actorText(actor)}</span> },
  { name: 'From', wide: true, cell: ({ ip }) => <span className="font-mono text-xs">{ip === '' ? '–' : ip}</span> },
  {
    name: 'Fingerprint',
    wide: true,
    cell: ({ hash }) => (
      <span className="flex items-center gap-1 font-mono text-xs text-muted">
        {hash.slice(0, 8)}
        <Copy text={hash} what="hash" />
      </span>
    ),
  },
];

function actorText(actor: string): string {
  if (actor.startsWith('ses_')) return 'You';
  if (actor.startsWith('tok_') || actor.startsWith('pat_')) return 'API token';
  return actor === 'wallet' ? 'Wallet' : actor.charAt(0).toUpperCase() + actor.slice(1);
}
