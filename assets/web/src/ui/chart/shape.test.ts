import { expect, test } from 'vitest';
import { lineTotal, roundTop, stack } from './shape';

const line = (values: (number | null)[]) => ({ id: 'x', label: 'x', color: '--x', values });

test('lines stand on each other, and a gap is nothing', () => {
  expect(stack([line([1, 2]), line([null, 3]), line([4, 0])])).toEqual([
    [1, 2],
    [1, 5],
    [5, 5],
  ]);
  expect(lineTotal(line([1, null, 2]))).toBe(3);
});

test('an axis ends at a round number that is not below the peak', () => {
  for (const [peak, top] of [
    [0, 2],
    [0.3, 2],
    [1, 2],
    [2.5, 4],
    [5, 6],
    [7, 8],
    [49, 50],
    [59, 60],
    [101, 200],
    [230, 300],
    [980, 1000],
    [12_345, 20_000],
  ] as const) {
    expect(roundTop(peak), String(peak)).toBe(top);
  }
});
