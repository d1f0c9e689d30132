import { expect, test } from 'vitest';
import { order } from './order';

test('numbers are sorted by size, words as people look them up, and what is not there comes last', () => {
  for (const [values, expected] of [
    [[10, 9, 100], [9, 10, 100]],
    [['b', 'A', 'a', 'B'], ['a', 'A', 'b', 'B']],
    [[undefined, '2099-01-01T00:00:00Z', '2026-11-26T00:00:00Z'], ['2026-11-26T00:00:00Z', '2099-01-01T00:00:00Z', undefined]],
    [[undefined, 5, undefined, -1], [-1, 5, undefined, undefined]],
  ] as const) {
    // `sort` leaves out what is undefined, so rows are sorted as in a table.
    expect([...values].map((value) => ({ value })).toSorted((a, b) => order(a.value, b.value)).map(({ value }) => value)).toEqual(expected);
  }
});
