/** The API's client. Its types are generated from `openapi.json`: `npm run gen:api`. */
import createClient from 'openapi-fetch';
import type { components, paths } from './schema';

export type Problem = components['schemas']['Problem'];

const REFRESH_PATH = '/api/auth/refresh';

/** Sends a request; when the access token has expired, refreshes the session once for all who wait, and sends it again. */
export function withRefresh(send: typeof fetch): typeof fetch {
  let refreshing: Promise<Response> | undefined;
  const refresh = () => send(REFRESH_PATH, { method: 'POST' });

  return async (input, init) => {
    const request = new Request(input, init);
    const again = request.clone();
    const response = await send(request);
    if (response.status !== 401 || new URL(request.url).pathname.startsWith('/api/auth/')) return response;
    // A refresh token is good once: a second refresh beside the first would end the session.
    refreshing ??= acrossTabs(refresh).finally(() => {
      refreshing = undefined;
    });
    const refreshed = await refreshing;
    if (refreshed.ok) return send(again);
    // Only a refusal ends the session; a server that is busy or broken has not said so, and what it said is handed on.
    return refreshed.status === 401 || refreshed.status === 403 ? response : refreshed.clone();
  };
}

/** Tabs share the cookies, so only one of them refreshes at a time. */
async function acrossTabs(refresh: () => Promise<Response>): Promise<Response> {
  const locks = globalThis.navigator?.locks;
  return locks ? await locks.request('suiftly-refresh', refresh) : await refresh();
}

/** Calls of the API by path and method, with typed parameters, bodies and answers. */
export function createApi(baseUrl: string, send: typeof fetch = fetch) {
  return createClient<paths>({ baseUrl, fetch: withRefresh(send) });
}
