import { expect, test } from 'vitest';
import { watchMs } from './watch';

test('a change is watched closely at first, and one that does not arrive less often, until the next one', () => {
  const [one, other] = [{}, {}];
  for (const [watched, isUnderWay, nowMs, expected] of [
    [one, false, 0, false],
    [one, true, 1_000, 1_000],
    [one, true, 30_999, 1_000],
    [one, true, 31_000, 5_000],
    [other, true, 31_000, 1_000],
    [one, false, 40_000, false],
    [one, true, 41_000, 1_000],
  ] as const) {
    expect(watchMs(watched, isUnderWay, nowMs), String(nowMs)).toBe(expected);
  }
});
