import { expect, test } from 'vitest';
import type { LoggedRequest, TailRows } from './tailRows';
import { NO_ROWS, withNews } from './tailRows';

/** As much of a request as tells it from others. */
const row = (id: string) => ({ request_id: id, at: '2026-11-26T00:00:00Z' }) as LoggedRequest;
const piece = (ids: readonly string[], dropped = 0) => ({ items: ids.map(row), dropped });
const idsOf = ({ rows }: TailRows) => rows.map(({ request_id: id }) => id);

test('what was left out before the tail began is not told, what is left out later is', () => {
  const first = withNews(NO_ROWS, piece(['b', 'a'], 12_345), true);
  expect(first.dropped).toBe(0);
  const second = withNews(first, piece(['d', 'c'], 7), false);
  expect([idsOf(second), second.dropped]).toEqual([['d', 'c', 'b', 'a'], 7]);
});

test('a stream that begins anew brings nothing twice', () => {
  const before = withNews(NO_ROWS, piece(['b', 'a']), true);
  expect(idsOf(withNews(before, piece(['c', 'b', 'a'], 3), true))).toEqual(['c', 'b', 'a']);
});

test('so many are kept, the newest', () => {
  const many = Array.from({ length: 250 }, (_, index) => `r${index}`);
  const ids = idsOf(withNews(withNews(NO_ROWS, piece(['old']), true), piece(many), false));
  expect([ids.length, ids[0], ids.includes('old')]).toEqual([200, 'r0', false]);
});
