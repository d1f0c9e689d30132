import { QueryClient, QueryObserver } from '@tanstack/react-query';
import { expect, test } from 'vitest';
import { ApiError } from './problem';
import { paceOf, pauseMs, refreshPace } from './refresh';

test('what counts requests is asked for each second, money less often, and lists less often still', () => {
  for (const [key, everyS] of [
    [['traffic', 'summary', { range: '24h' }], 1],
    [['traffic', 'series', { range: '24h' }, 'class'], 10],
    [['billing', 'overview'], 3],
    [['billing', 'invoice', 'draft'], 3],
    [['billing', 'invoice', 'INV-000001'], 5],
    [['billing', 'preview', 'seal', { action: 'cancel' }], 5],
    [['billing', 'wallet'], 10],
    [['services'], 5],
    [['services', 'seal'], 5],
    [['keys', 'seal'], 10],
    [['requests', {}], undefined],
    [['network'], undefined],
  ] as const) {
    expect(paceOf(key)?.everyS, key.join()).toBe(everyS);
  }
});

function pace(key: readonly string[]) {
  const found = paceOf(key);
  if (found === undefined) throw new Error('no pace');
  return found;
}

const settled = () => new Promise((resolve) => setTimeout(resolve));

test('a list of many loaded pages is asked for as much less often', () => {
  const client = new QueryClient();
  const keys = pace(['keys']);
  client.setQueryData(['keys', 'seal'], { pages: Array.from({ length: 50 }, () => ({ items: [] })), pageParams: [] });
  expect(pauseMs(client, keys, 9), 'nobody looks at it').toBe(10_000);
  const end = new QueryObserver(client, { queryKey: ['keys', 'seal'], staleTime: Infinity }).subscribe(() => undefined);
  expect(pauseMs(client, keys, 9)).toBe(500_000);
  end();
});

test('the first news in a while are followed soon, news without a break at the pace', () => {
  const client = new QueryClient();
  const pauses = (key: readonly string[]) => [0, 1, 2, 3, 4, 5_000].map((inARow) => pauseMs(client, pace(key), inARow) / 1_000);
  expect(pauses(['traffic'])).toEqual([1, 2, 4, 8, 10, 10]);
  expect(pauses(['billing', 'overview'])).toEqual([1, 2, 3, 3, 3, 3]);
  expect(pauses(['traffic', 'summary'])).toEqual([1, 1, 1, 1, 1, 1]);
});

test('news ask for what goes at their pace, but not for what was refused because too much is asked', async () => {
  const client = new QueryClient();
  let [asked, refused] = [0, 0];
  const tooMuch = new ApiError({ type: 'about:blank', title: 'No', status: 429, code: 'rate_limited' });
  const answers = {
    answered: () => Promise.resolve((asked += 1)),
    refused: () => ((refused += 1), Promise.reject(tooMuch)),
  };
  const ends = Object.entries(answers).map(([name, queryFn]) => new QueryObserver(client, { queryKey: ['traffic', name], queryFn, retry: false }).subscribe(() => undefined));
  await settled();
  expect([asked, refused]).toEqual([1, 1]);
  refreshPace(client, pace(['traffic', 'summary']));
  await settled();
  expect([asked, refused]).toEqual([1, 1]);
  expect(refreshPace(client, pace(['traffic'])), 'nothing was under way').toBe(false);
  expect(refreshPace(client, pace(['traffic'])), 'the first question is').toBe(true);
  await settled();
  expect([asked, refused]).toEqual([2, 1]);
  for (const end of ends) end();
});
