import { useInfiniteQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { BookOpen, Download } from 'lucide-react';
import type { Schemas } from '../../server/api';
import { api, ask } from '../../server/api';
import { Button } from '../../ui/Button';
import { csvText, download } from '../../ui/csv';
import { Empty } from '../../ui/Empty';
import { Money } from '../../ui/Money';
import { Page } from '../../ui/Page';
import { Panel } from '../../ui/Panel';
import { Problem } from '../../ui/Problem';
import { Lines } from '../../ui/Skeleton';
import type { Column } from '../../ui/Table';
import { Table } from '../../ui/Table';
import { Time } from '../../ui/Time';

type Entry = Schemas['Entry'];

export function StatementPage() {
  const pages = useInfiniteQuery({
    queryKey: ['billing', 'entries'],
    queryFn: ({ pageParam, signal }) => ask(api.GET('/api/billing/entries', { params: { query: { limit: 200, ...(pageParam === '' ? {} : { cursor: pageParam }) } }, signal })),
    initialPageParam: '',
    getNextPageParam: (last) => last.next_cursor,
  });
  const rows = pages.data?.pages.flatMap(({ items }) => items) ?? [];
  return (
    <Page
      eyebrow="Billing & payments"
      title="Statement"
      about="Everything that happened to your money, newest first, from double-entry books that cannot be changed."
      actions={
        <Button
          icon={<Download aria-hidden="true" className="size-3.5" strokeWidth={1.75} />}
          disabled={rows.length === 0}
          onClick={() => download('statement.csv', csvText(FILE_COLUMNS, rows.map(cellsOf)))}
        >
          CSV
        </Button>
      }
    >
      <Panel title="Entries">
        {pages.isError && pages.data === undefined ? (
          <div className="p-4">
            <Problem error={pages.error} onRetry={() => void pages.refetch()} />
          </div>
        ) : pages.data === undefined ? (
          <Lines rows={8} />
        ) : (
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
        {pages.hasNextPage && (
          <div className="border-t border-line p-3 text-center">
            <Button busy={pages.isFetchingNextPage} onClick={() => void pages.fetchNextPage()}>
              Load older ones
            </Button>
          </div>
        )}
      </Panel>
    </Page>
  );
}

const REASON: Record<string, string> = {
  deposit: 'Deposit',
  withdrawal: 'Withdrawal',
  invoice_issued: 'Invoice issued',
  invoice_paid: 'Invoice paid',
  credit_granted: 'Credit granted',
  credits_used: 'Credit used',
  credit_expired: 'Credit expired',
};

/** What is more for the customer, and what is less; an invoice that is issued moves nothing yet. */
const SIGN: Record<string, string> = { deposit: '+', credit_granted: '+', withdrawal: '−', invoice_paid: '−', credits_used: '−', credit_expired: '−' };

function Amount({ entry }: { entry: Entry }) {
  const sign = Object.hasOwn(SIGN, entry.reason) ? SIGN[entry.reason] : '';
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
        <p>{(Object.hasOwn(REASON, reason) ? REASON[reason] : undefined) ?? <span className="inline-block first-letter:uppercase">{reason.replaceAll('_', ' ')}</span>}</p>
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

const FILE_COLUMNS = ['at', 'reason', 'invoice', 'reference', 'amount_micros', 'escrow_micros', 'credits_micros', 'owed_micros'];

function cellsOf(entry: Entry): string[] {
  const { at, reason, invoice = '', reference = '', after } = entry;
  return [at, reason, invoice, reference, String(amountOf(entry)), String(after.escrow_micros), String(after.credits_micros), String(after.owed_micros)];
}

/** What moved: an entry's postings sum to zero, so one side of them. */
function amountOf({ postings }: Entry): number {
  return postings.filter(({ amount_micros: micros, currency }) => micros > 0 && currency === 'USD').reduce((sum, { amount_micros: micros }) => sum + micros, 0);
}
