import { queryOptions } from '@tanstack/react-query';
import { api, ask } from '../../server/api';

export function invoiceQuery(invoice: string) {
  return queryOptions({
    queryKey: ['billing', 'invoice', invoice],
    queryFn: ({ signal }) => ask(api.GET('/api/billing/invoices/{invoice}', { params: { path: { invoice } }, signal })),
  });
}

/** For an overview; the draft is one of them. */
export const latestInvoicesQuery = queryOptions({
  queryKey: ['billing', 'invoices', 'latest'],
  queryFn: ({ signal }) => ask(api.GET('/api/billing/invoices', { params: { query: { limit: 6 } }, signal })),
});
