/** What is asked again when something has changed. Keys of queries begin with the part of the account that they show. */
import type { QueryClient } from '@tanstack/react-query';

/** Money, states and limits: one of them rarely changes alone. */
const ACCOUNT = ['billing', 'customer', 'services'] as const;
/** What moves with every request. */
export const FIGURES = [...ACCOUNT, 'traffic'] as const;
/** What people and scripts change, elsewhere too. */
export const LISTS = ['keys', 'seal-keys', 'sessions', 'tokens', 'activity'] as const;

export type Part = (typeof FIGURES)[number] | (typeof LISTS)[number];

/** After something that was done here: whatever is being asked may be older, and begins anew. */
export function refreshAccount(client: QueryClient): void {
  for (const part of ACCOUNT) void client.invalidateQueries({ queryKey: [part] });
}

/**
 * After news. A question that is under way goes on, for it would never be answered if news came faster than answers. Its answer may
 * be older than the news, so tells whether to ask again.
 */
export function refreshParts(client: QueryClient, parts: readonly Part[]): boolean {
  const underWay = parts.some((part) => client.isFetching({ queryKey: [part] }) > 0);
  for (const part of parts) void client.invalidateQueries({ queryKey: [part] }, { cancelRefetch: false });
  return underWay;
}
