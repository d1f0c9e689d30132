import { useInfiniteQuery } from '@tanstack/react-query';
import { useNavigate, useSearch } from '@tanstack/react-router';
import type { InvoicesSearch } from '../../search';
import { api, ask } from '../../server/api';
import { Page } from '../../ui/Page';
import { PagedList, rowsOf } from '../../ui/PagedList';
import { Panel } from '../../ui/Panel';
import { PrintButton } from '../../ui/PrintButton';
import { Segments } from '../../ui/Segments';
import { Lines } from '../../ui/Skeleton';
import { InvoiceTable } from './InvoiceTable';

const STATES: readonly { value: 'all' | NonNullable<InvoicesSearch['state']>; label: string }[] = [
  { value: 'all', label: 'All' },
  { value: 'pending', label: 'Pending' },
  { value: 'paid', label: 'Paid' },
  { value: 'failed', label: 'Failed' },
  { value: 'voided', label: 'Voided' },
];

export function InvoicesPage() {
  const { state } = useSearch({ from: '/account/billing/invoices' });
  const navigate = useNavigate({ from: '/billing/invoices' });
  const pages = useInfiniteQuery({
    queryKey: ['billing', 'invoices', 'pages', state ?? ''],
    queryFn: ({ pageParam, signal }) =>
      ask(
        api.GET('/api/billing/invoices', {
          params: { query: { limit: 200, ...(state === undefined ? {} : { state }), ...(pageParam === '' ? {} : { cursor: pageParam }) } },
          signal,
        }),
      ),
    initialPageParam: '',
    getNextPageParam: (last) => last.next_cursor,
  });
  return (
    <Page eyebrow="Billing & payments" title="Invoices" about="Every invoice, the draft of this month first." actions={<PrintButton disabled={rowsOf(pages).length === 0} />}>
      <Panel
        title="Invoices"
        aside={<Segments label="State" value={state ?? 'all'} options={STATES} onChange={(next) => void navigate({ search: next === 'all' ? {} : { state: next }, replace: true })} />}
      >
        <PagedList pages={pages} skeleton={<Lines rows={6} />}>
          {(rows) => <InvoiceTable rows={rows} />}
        </PagedList>
      </Panel>
    </Page>
  );
}
