import { queryOptions } from '@tanstack/react-query';
import type { InvoicesSearch } from '../../search';
import { api, ask } from '../../server/api';

export function invoiceQuery(invoice: string) {
  return queryOptions({
    queryKey: ['billing', 'invoice', invoice],
    queryFn: ({ signal }) => ask(api.GET('/api/billing/invoices/{invoice}', { params: { path: { invoice } }, signal })),
  });
}

export function invoicesQuery(state: InvoicesSearch['state'], limit: number) {
  return queryOptions({
    queryKey: ['billing', 'invoices', state ?? '', limit],
    queryFn: ({ signal }) => ask(api.GET('/api/billing/invoices', { params: { query: { limit, ...(state === undefined ? {} : { state }) } }, signal })),
  });
}
