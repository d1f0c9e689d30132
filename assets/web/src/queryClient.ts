import { MutationCache, QueryCache, QueryClient } from '@tanstack/react-query';
import { askAgainMs, isTooMuch, isWorthAskingAgain } from './server/askAgain';
import { ApiError } from './server/problem';
import { guardAccount } from './wallet/account';
import { forget } from './wallet/session';

export function makeQueryClient(): QueryClient {
  const client = new QueryClient({
    queryCache: new QueryCache({ onError }),
    mutationCache: new MutationCache({ onError }),
    defaultOptions: {
      queries: {
        // The server is usually on the same machine, where the browser's notion of being online says nothing.
        networkMode: 'always',
        staleTime: 2_000,
        retry: (failures, error) => failures < 2 && isWorthAskingAgain(error) && !isTooMuch(error),
        retryDelay: (failures) => 500 * 2 ** failures,
        refetchInterval: ({ state }) => askAgainMs(state.error),
      },
      mutations: { networkMode: 'always', retry: false },
    },
  });
  guardAccount(client, window, () => {
    client.clear();
    window.location.assign('/');
  });
  return client;
}

/** Every question of a page fails when the session ends; a second navigation would break off the first. */
let isLeaving = false;

function onError(error: Error): void {
  // The session has ended; the sign-in page brings the reader back to where this happened.
  if (!(error instanceof ApiError) || error.problem.code !== 'sign_in_required') return;
  forget();
  const { pathname, search } = window.location;
  if (isLeaving || pathname === '/login') return;
  isLeaving = true;
  window.location.assign(`/login?next=${encodeURIComponent(pathname + search)}`);
}
