import { expect, test } from 'vitest';
import { escrowSearch, loginSearch, logsSearch, trafficSearch } from './search';

test('what an address does not say rightly is left out', () => {
  expect(logsSearch({ range: '7d', status: 404, path: '/v1', key: '', class: null, other: 'x' })).toEqual({ range: '7d', status: '404', path: '/v1' });
  expect(trafficSearch({ range: '2h', by: 'status', of: 'hosts' })).toEqual({ by: 'status' });
  expect(trafficSearch({ from: '2026-11-01T00:00:00Z', to: null })).toEqual({ from: '2026-11-01T00:00:00Z' });
  expect(escrowSearch({ action: 'steal', amount: 12.5 })).toEqual({ amount: '12.5' });
});

test('after signing in, only an address of this site is opened', () => {
  for (const [next, expected] of [
    ['/billing?x=1', { next: '/billing?x=1' }],
    ['//evil.example', {}],
    ['https://evil.example', {}],
    ['javascript:alert(1)', {}],
    [undefined, {}],
  ] as const) {
    expect(loginSearch({ next }), String(next)).toEqual(expected);
  }
});
