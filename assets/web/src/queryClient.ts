import { MutationCache, QueryCache, QueryClient } from '@tanstack/react-query';
import { ApiError, codeOf } from './server/problem';
import { forget } from './wallet/session';

/** What a second question may answer differently. */
const WORTH_ASKING_AGAIN = new Set(['queries_busy', 'request_timeout', 'not_ready', 'internal', 'unreachable']);

/** Between two questions that failed for a reason that passes. */
const ASK_AGAIN_MS = 5_000;

export function makeQueryClient(): QueryClient {
  return new QueryClient({
    queryCache: new QueryCache({ onError }),
    mutationCache: new MutationCache({ onError }),
    defaultOptions: {
      queries: {
        // The server is usually on the same machine, where the browser's notion of being online says nothing.
        networkMode: 'always',
        staleTime: 2_000,
        retry: (failures, error) => failures < 2 && WORTH_ASKING_AGAIN.has(codeOf(error) ?? ''),
        retryDelay: (failures) => 500 * 2 ** failures,
        // What could not be asked is asked again without a click, and without an end.
        refetchInterval: ({ state }) => (state.error !== null && WORTH_ASKING_AGAIN.has(codeOf(state.error) ?? '') ? ASK_AGAIN_MS : false),
      },
      mutations: { networkMode: 'always', retry: false },
    },
  });
}

function onError(error: Error): void {
  // The session has ended; the sign-in page brings the reader back to where this happened.
  if (!(error instanceof ApiError) || error.problem.code !== 'sign_in_required') return;
  forget();
  const { pathname, search } = window.location;
  if (pathname !== '/login') window.location.assign(`/login?next=${encodeURIComponent(pathname + search)}`);
}
