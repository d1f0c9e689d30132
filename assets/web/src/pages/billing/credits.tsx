import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { Gift } from 'lucide-react';
import type { Schemas } from '../../server/api';
import { api, ask } from '../../server/api';
import { billingQuery } from '../../server/queries';
import { Empty } from '../../ui/Empty';
import { Money } from '../../ui/Money';
import { Page } from '../../ui/Page';
import { PagedList } from '../../ui/PagedList';
import { Panel } from '../../ui/Panel';
import { StateBadge } from '../../ui/StateBadge';
import type { Column } from '../../ui/Table';
import { Table } from '../../ui/Table';
import { Time } from '../../ui/Time';
import { creditReason } from './InvoiceLines';

type Credit = Schemas['Credit'];

export function CreditsPage() {
  const available = useQuery(billingQuery).data?.credits_micros;
  const pages = useInfiniteQuery({
    queryKey: ['billing', 'credits'],
    queryFn: ({ pageParam, signal }) => ask(api.GET('/api/billing/credits', { params: { query: { limit: 100, ...(pageParam === '' ? {} : { cursor: pageParam }) } }, signal })),
    initialPageParam: '',
    getNextPageParam: (last) => last.next_cursor,
  });
  return (
    <Page eyebrow="Billing & payments" title="Credits" about="Used for invoices before anything else, what expires first first. Credit cannot be withdrawn.">
      <Panel
        title="Credits"
        aside={
          available === undefined ? undefined : (
            <span className="text-[13px]">
              <Money micros={available} className="font-semibold" /> <span className="text-muted">available</span>
            </span>
          )
        }
      >
        <PagedList pages={pages}>
          {(rows) => (
            <Table
              caption="Credits"
              columns={COLUMNS}
              rows={rows}
              rowKey={({ credit_id: id }) => String(id)}
              empty={
                <Empty Icon={Gift} title="No credits">
                  When you subscribe during a month, the days before come back as credit.
                </Empty>
              }
            />
          )}
        </PagedList>
      </Panel>
    </Page>
  );
}

const COLUMNS: Column<Credit>[] = [
  {
    name: 'For',
    cell: ({ reason, note, invoice }) => (
      <div>
        <p className="first-letter:uppercase">{creditReason(reason)}</p>
        <p className="text-xs text-muted">
          {invoice === undefined ? (
            note
          ) : (
            <Link to="/billing/invoices/$invoice" params={{ invoice }} className="text-link hover:underline">
              {invoice}
            </Link>
          )}
        </p>
      </div>
    ),
  },
  { name: 'State', by: ({ state }) => state, cell: ({ state }) => <StateBadge state={state} /> },
  { name: 'Granted on', wide: true, by: ({ granted_at: at }) => at, cell: ({ granted_at: at }) => <Time at={at} show="day" /> },
  {
    name: 'Expires',
    wide: true,
    by: ({ expires_at: at }) => at,
    cell: ({ expires_at: at }) => (at === undefined ? <span className="text-muted">Never</span> : <Time at={at} show="day" />),
  },
  { name: 'Granted', right: true, wide: true, by: (row) => row.granted_micros, cell: (row) => <Money micros={row.granted_micros} /> },
  { name: 'Left', right: true, by: (row) => row.remaining_micros, cell: (row) => <Money micros={row.remaining_micros} /> },
];
