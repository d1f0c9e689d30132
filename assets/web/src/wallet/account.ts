/** Whose pages these are. Tabs share the session, so that another one may sign in as somebody else. */
import type { QueryClient } from '@tanstack/react-query';
import type { Schemas } from '../server/api';
import { customerQuery } from '../server/queries';
import { STORAGE_KEY } from './session';

/**
 * Calls `leave` as soon as another account than the known one is signed in, or another tab has signed in or out: what is cached and
 * what is typed belongs to the account before, and nothing of it may be shown or sent any more.
 */
export function guardAccount(client: QueryClient, tab: EventTarget, leave: () => void): void {
  const [part] = customerQuery.queryKey;
  let known: number | undefined;
  client.getQueryCache().subscribe((event) => {
    if (event.query.queryKey[0] !== part) return;
    // Signing out here clears the cache; whoever signs in then is nobody else.
    if (event.type === 'removed') known = undefined;
    if (event.type !== 'updated' || event.action.type !== 'success') return;
    const { customer_id: id } = event.action.data as Schemas['Customer'];
    if (known !== undefined && known !== id) leave();
    else known = id;
  });
  tab.addEventListener('storage', (event) => {
    const { key } = event as StorageEvent;
    // Without a key, all of it was cleared.
    if (known !== undefined && (key === STORAGE_KEY || key === null)) leave();
  });
}
