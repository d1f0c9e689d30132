/** Server state that more than one page shows. Keys begin with the part of the account that changes them. */
import { infiniteQueryOptions, queryOptions } from '@tanstack/react-query';
import type { Schemas } from './api';
import { api, ask } from './api';
import { askAgainMs } from './askAgain';
import type { ServiceName } from './names';
import type { Span } from './span';
import { watchMs } from './watch';

/** Whether a change is on its way to the gateways; of what is not subscribed to, nothing is. */
export function isUpdating({ sync, state }: Pick<Schemas['Service'], 'sync' | 'state'>): boolean {
  return sync === 'pending' && state !== 'not_provisioned';
}

/** The state in a word: what waits for its first payment is not merely off. */
export function shownState({ awaits_payment: awaitsPayment, state }: Pick<Schemas['Service'], 'awaits_payment' | 'state'>): string {
  return awaitsPayment && state === 'disabled' ? 'pending' : state;
}

export const customerQuery = queryOptions({
  queryKey: ['customer'],
  queryFn: ({ signal }) => ask(api.GET('/api/customer', { signal })),
  staleTime: 30_000,
});

export const servicesQuery = queryOptions({
  queryKey: ['services'],
  queryFn: async ({ signal }) => (await ask(api.GET('/api/services', { signal }))).items,
  refetchInterval: (query) => askAgainMs(query.state.error, watchMs(query, query.state.data?.some(isUpdating) === true)),
});

export function serviceQuery(service: ServiceName) {
  return queryOptions({
    queryKey: ['services', service],
    queryFn: ({ signal }) => ask(api.GET('/api/services/{service}', { params: { path: { service } }, signal })),
    refetchInterval: (query) => askAgainMs(query.state.error, watchMs(query, query.state.data !== undefined && isUpdating(query.state.data))),
  });
}

export const billingQuery = queryOptions({
  queryKey: ['billing', 'overview'],
  queryFn: ({ signal }) => ask(api.GET('/api/billing', { signal })),
});

export const noticesQuery = queryOptions({
  queryKey: ['billing', 'notices'],
  queryFn: ({ signal }) => ask(api.GET('/api/billing/notices', { params: { query: { limit: 20 } }, signal })),
});

/** What this server is: whether its money is play money, where requests are sent, where the terms are. */
export const siteQuery = queryOptions({
  queryKey: ['config'],
  queryFn: ({ signal }) => ask(api.GET('/api/config/frontend', { signal })),
  staleTime: 60_000,
  refetchInterval: ({ state }) => askAgainMs(state.error, 60_000),
});

/** Public prices and limits, of the same answer. */
export const configQuery = queryOptions({ ...siteQuery, select: ({ values }): Record<string, string> => values });

/** How the gateways are, and how fresh the keys and limits there. */
export const networkQuery = queryOptions({
  queryKey: ['network'],
  queryFn: ({ signal }) => ask(api.GET('/api/network', { signal })),
  refetchInterval: ({ state }) => askAgainMs(state.error, 10_000),
});

/** What is looked at: a service or all, in a stretch of time. */
export type Stretch = Span & { service?: ServiceName };

export function summaryQuery(stretch: Stretch) {
  return queryOptions({
    queryKey: ['traffic', 'summary', stretch],
    queryFn: ({ signal }) => ask(api.GET('/api/traffic/summary', { params: { query: { ...stretch } }, signal })),
  });
}

export function seriesQuery(stretch: Stretch, by: 'class' | 'status' | 'bandwidth') {
  return queryOptions({
    queryKey: ['traffic', 'series', stretch, by],
    queryFn: ({ signal }) => ask(api.GET('/api/traffic/series', { params: { query: { ...stretch, by } }, signal })),
  });
}

export function keysQuery(service: ServiceName) {
  return infiniteQueryOptions({
    queryKey: ['keys', service],
    queryFn: ({ pageParam, signal }) =>
      ask(
        api.GET('/api/services/{service}/api-keys', {
          params: { path: { service }, query: { limit: 200, ...(pageParam === '' ? {} : { cursor: pageParam }) } },
          signal,
        }),
      ),
    initialPageParam: '',
    getNextPageParam: (last) => last.next_cursor,
  });
}

export function keyUseQuery(service: ServiceName) {
  return queryOptions({
    queryKey: ['traffic', 'keys', service],
    queryFn: ({ signal }) => ask(api.GET('/api/services/{service}/api-keys/usage', { params: { path: { service } }, signal })),
    staleTime: 4_000,
  });
}

export const escrowQuery = queryOptions({
  queryKey: ['billing', 'escrow'],
  queryFn: ({ signal }) => ask(api.GET('/api/billing/escrow', { signal })),
});

export const walletUsdcQuery = queryOptions({
  queryKey: ['billing', 'wallet'],
  queryFn: ({ signal }) => ask(api.GET('/api/billing/escrow/wallet', { signal })),
});

export const transactionsQuery = queryOptions({
  queryKey: ['billing', 'transactions'],
  queryFn: async ({ signal }) => (await ask(api.GET('/api/billing/escrow/transactions', { signal }))).items,
});

export type Service = Schemas['Service'];
