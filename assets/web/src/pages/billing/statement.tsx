import { useInfiniteQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { BookOpen } from 'lucide-react';
import type { Schemas } from '../../server/api';
import { api, ask } from '../../server/api';
import { everyItem } from '../../server/pages';
import { CsvButton } from '../../ui/CsvButton';
import { Empty } from '../../ui/Empty';
import { Money } from '../../ui/Money';
import { Page } from '../../ui/Page';
import { PagedList, rowsOf } from '../../ui/PagedList';
import { Panel } from '../../ui/Panel';
import { PrintButton } from '../../ui/PrintButton';
import { Lines } from '../../ui/Skeleton';
import type { Column } from '../../ui/Table';
import { Table } from '../../ui/Table';
import { Time } from '../../ui/Time';
import { FILE_COLUMNS, amountOf, cellsOf, changeOf, reasonText } from './entries';

type Entry = Schemas['Entry'];

function entriesFrom(cursor = '', signal: AbortSignal | null = null) {
  return ask(api.GET('/api/billing/entries', { params: { query: { limit: 200, ...(cursor === '' ? {} : { cursor }) } }, signal }));
}

export function StatementPage() {
  const pages = useInfiniteQuery({
    queryKey: ['billing', 'entries'],
    queryFn: ({ pageParam, signal }) => entriesFrom(pageParam, signal),
    initialPageParam: '',
    getNextPageParam: (last) => last.next_cursor,
  });
  return (
    <Page
      eyebrow="Billing & payments"
      title="Statement"
      about="Everything that happened to your money, newest first, from double-entry books that cannot be changed."
      actions={
        <>
          <PrintButton disabled={rowsOf(pages).length === 0} />
          <CsvButton name="statement.csv" header={FILE_COLUMNS} disabled={rowsOf(pages).length === 0} rows={async () => (await everyItem(entriesFrom)).map(cellsOf)} />
        </>
      }
    >
      <Panel title="Entries">
        <PagedList pages={pages} skeleton={<Lines rows={8} />}>
          {(rows) => (
            <Table
              caption="Entries"
              columns={COLUMNS}
              rows={rows}
              rowKey={({ entry_id: id }) => String(id)}
              empty={
                <Empty Icon={BookOpen} title="No entries yet">
                  Your first deposit is the first one.
                </Empty>
              }
            />
          )}
        </PagedList>
      </Panel>
    </Page>
  );
}

function Amount({ entry }: { entry: Entry }) {
  const change = changeOf(entry);
  const sign = change === 0 ? '' : change > 0 ? '+' : '−';
  return (
    <span className={sign === '+' ? 'text-good' : ''}>
      {sign}
      <Money micros={amountOf(entry)} />
    </span>
  );
}

const COLUMNS: Column<Entry>[] = [
  { name: 'When', cell: ({ at }) => <Time at={at} /> },
  {
    name: 'What',
    cell: ({ reason, invoice }) => (
      <div>
        <p>{reasonText(reason)}</p>
        {invoice !== undefined && (
          <Link to="/billing/invoices/$invoice" params={{ invoice }} className="text-xs whitespace-nowrap text-link hover:underline">
            {invoice}
          </Link>
        )}
      </div>
    ),
  },
  { name: 'Amount', right: true, cell: (entry) => <Amount entry={entry} /> },
  { name: 'Escrow after', right: true, wide: true, cell: ({ after }) => <Money micros={after.escrow_micros} /> },
  { name: 'Credit after', right: true, wide: true, cell: ({ after }) => <Money micros={after.credits_micros} /> },
  { name: 'Owed after', right: true, wide: true, cell: ({ after }) => <Money micros={after.owed_micros} /> },
];
