import { describe, expect, it } from 'vitest';
import { createApi } from './client';

const BASE = 'http://dash.example.com';

/** A server whose access token expires, and that counts how often it is refreshed. */
function server(options: { refreshes: boolean; refusal?: { status: number; code: string } }) {
  const calls: string[] = [];
  let isFresh = false;
  const send = async (input: RequestInfo | URL, init?: RequestInit): Promise<Response> => {
    const url = input instanceof Request ? input.url : String(input);
    const method = input instanceof Request ? input.method : (init?.method ?? 'GET');
    const { pathname } = new URL(url, BASE);
    calls.push(`${method} ${pathname}`);
    await new Promise((resolve) => setTimeout(resolve, 1));
    if (pathname === '/api/auth/refresh') {
      isFresh = options.refreshes;
      const { status, code } = options.refusal ?? { status: 401, code: 'refresh_refused' };
      return options.refreshes ? Response.json({}) : Response.json({ code }, { status });
    }
    return isFresh ? Response.json({ items: [] }) : Response.json({ code: 'sign_in_required' }, { status: 401 });
  };
  return { calls, api: createApi(BASE, send) };
}

describe('an expired access token', () => {
  it('leads to one refresh, however many requests hit it at once', async () => {
    const { api, calls } = server({ refreshes: true });
    const answers = await Promise.all([1, 2, 3].map(() => api.GET('/api/services')));
    expect(answers.map((answer) => answer.response.status)).toEqual([200, 200, 200]);
    expect(calls.filter((call) => call === 'POST /api/auth/refresh')).toHaveLength(1);
    expect(calls).toHaveLength(7);
  });

  it('is told when the session cannot be refreshed', async () => {
    const { api, calls } = server({ refreshes: false });
    const { error } = await api.GET('/api/services');
    expect(error?.code).toBe('sign_in_required');
    expect(calls).toEqual(['GET /api/services', 'POST /api/auth/refresh']);
  });

  it.each([
    { status: 429, code: 'rate_limited' },
    { status: 500, code: 'internal' },
    { status: 503, code: 'not_ready' },
  ])('does not mean signed out when the refresh fails with $status', async (refusal) => {
    const { api } = server({ refreshes: false, refusal });
    const answers = await Promise.all([1, 2].map(() => api.GET('/api/services')));
    expect(answers.map(({ response, error }) => [response.status, error?.code])).toEqual([
      [refusal.status, refusal.code],
      [refusal.status, refusal.code],
    ]);
  });

  it('means signed out when the refresh is forbidden', async () => {
    const { api } = server({ refreshes: false, refusal: { status: 403, code: 'origin_refused' } });
    const { error } = await api.GET('/api/services');
    expect(error?.code).toBe('sign_in_required');
  });

  it('is not refreshed for requests of the sign-in itself', async () => {
    const { api, calls } = server({ refreshes: true });
    await api.POST('/api/auth/logout');
    expect(calls).toEqual(['POST /api/auth/logout']);
  });
});
