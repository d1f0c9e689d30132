/** What is asked again when something has changed. Keys of queries begin with the part of the account that they show. */
import type { Query, QueryClient, QueryKey } from '@tanstack/react-query';
import { isTooMuch } from './askAgain';

/** What is asked for under keys that begin so, and how often at most while news come all the time. */
export interface Pace {
  of: readonly string[];
  everyS: number;
}

/** The first one that fits a key counts. What has none is not asked after news: it has a clock of its own, or never changes. */
export const PACES: readonly Pace[] = [
  // What counts each request.
  { of: ['traffic', 'summary'], everyS: 1 },
  { of: ['traffic'], everyS: 10 },
  // What each request costs.
  { of: ['billing', 'overview'], everyS: 3 },
  { of: ['billing', 'invoice', 'draft'], everyS: 3 },
  { of: ['billing', 'notices'], everyS: 15 },
  // The chain is asked for it.
  { of: ['billing', 'wallet'], everyS: 10 },
  { of: ['billing'], everyS: 5 },
  // What people, scripts and time change.
  { of: ['services'], everyS: 5 },
  { of: ['customer'], everyS: 30 },
  { of: ['keys'], everyS: 10 },
  { of: ['seal-keys'], everyS: 10 },
  { of: ['sessions'], everyS: 10 },
  { of: ['tokens'], everyS: 10 },
  { of: ['activity'], everyS: 10 },
];

/** Money, states and limits: one of them rarely changes alone. */
const ACCOUNT = ['billing', 'customer', 'services'] as const;

export function paceOf(key: QueryKey): Pace | undefined {
  return PACES.find(({ of }) => of.every((word, index) => key[index] === word));
}

/** After something that was done here: whatever is being asked may be older, and begins anew. */
export function refreshAccount(client: QueryClient): void {
  for (const part of ACCOUNT) void client.invalidateQueries({ queryKey: [part] });
}

/**
 * After news, for what goes at this pace. A question that is under way goes on, for it would never be answered if news came faster
 * than answers. Its answer may be older than the news, so tells whether to ask again. What was refused because too much is asked
 * waits for its own clock.
 */
export function refreshPace(client: QueryClient, pace: Pace): boolean {
  const predicate = ({ queryKey, state }: Query) => paceOf(queryKey) === pace && !isTooMuch(state.error);
  const underWay = client.isFetching({ predicate }) > 0;
  void client.invalidateQueries({ predicate }, { cancelRefetch: false });
  return underWay;
}

/**
 * From one time to the next. What changes now and then is on the page soon; the longer news come without a break, the longer the pause,
 * up to that of the pace. A list is asked for page by page, so that one of many pages is asked for less often.
 */
export function pauseMs(client: QueryClient, pace: Pace, inARow: number): number {
  const shown = client.getQueryCache().findAll({ type: 'active', predicate: ({ queryKey }) => paceOf(queryKey) === pace });
  return Math.min(pace.everyS, 2 ** inARow) * 1_000 * Math.max(1, ...shown.map(({ state }) => pagesOf(state.data)));
}

function pagesOf(data: unknown): number {
  return typeof data === 'object' && data !== null && 'pages' in data && Array.isArray(data.pages) ? data.pages.length : 1;
}
