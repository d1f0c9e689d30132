import { describe, expect, test } from 'vitest';
import type { Series } from '../api';
import { addCounts, axisTop, chartTop, countAll, countByClass, countByMinute, peakRate, stackRates } from './traffic';

const SERIES: Series = {
  from: '2026-11-23T17:25:00Z',
  step_ms: 30_000,
  guaranteed: [30, 60, 90],
  burst: [0, 30, 0],
  limited: [0, 0, 3],
  refused: [3, 0, 0],
  failed: [0, 0, 0],
};

test('counts add up over buckets, customers and classes', () => {
  const counts = countByClass(SERIES);
  expect(counts).toEqual({ guaranteed: 180, burst: 30, limited: 3, refused: 3, failed: 0 });
  expect(countAll(counts)).toBe(216);
  expect(addCounts([counts, counts])).toEqual({ guaranteed: 360, burst: 60, limited: 6, refused: 6, failed: 0 });
  expect(countAll(addCounts([]))).toBe(0);
});

test('minutes together hold every request of the series', () => {
  const minutes = countByMinute(SERIES);
  expect(minutes.map(({ guaranteed }) => guaranteed)).toEqual([90, 90]);
  expect(addCounts(minutes)).toEqual(countByClass(SERIES));
});

test('each class is stacked on those before it, in requests per second', () => {
  expect(stackRates(SERIES)).toEqual([
    [1, 2, 3],
    [1, 3, 3],
    [1, 3, 3.1],
    [1.1, 3, 3.1],
    [1.1, 3, 3.1],
  ]);
  expect(peakRate(SERIES)).toBe(3.1);
});

describe('the axis ends on a round number above the peak', () => {
  test.each([
    [0, 1],
    [0.2, 0.3],
    [0.95, 1],
    [1, 1.2],
    [9.9, 12],
    [15, 16],
    [16, 20],
    [28, 30],
    [29, 40],
    [96, 120],
    [731, 800],
  ])('%d → %d', (peak, expected) => expect(axisTop(peak)).toBe(expected));
});

describe('the guaranteed rate is in the picture only near the traffic', () => {
  test.each([
    [0, 15, 16],
    [7, 15, 16],
    [30, 15, 40],
    [3, 100, 4],
  ])('peak %d, guaranteed %d → %d', (peak, guaranteed, expected) => expect(chartTop(peak, guaranteed)).toBe(expected));
});
