import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { atMostEvery, retryDelayMs } from './live';

vi.mock('./queries', () => ({ customerQuery: {}, configQuery: {} }));

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test('calls come at once, then no more than once in the time, and the last is not lost', () => {
  const action = vi.fn();
  const { call, cancel } = atMostEvery(1_000, action);
  call();
  call();
  call();
  expect(action).toHaveBeenCalledTimes(1);
  vi.advanceTimersByTime(1_000);
  expect(action).toHaveBeenCalledTimes(2);
  vi.advanceTimersByTime(5_000);
  expect(action).toHaveBeenCalledTimes(2);
  call();
  expect(action).toHaveBeenCalledTimes(3);
  call();
  cancel();
  vi.advanceTimersByTime(5_000);
  expect(action).toHaveBeenCalledTimes(3);
});

test('pauses between attempts grow to a limit', () => {
  expect([0, 1, 2, 3, 4, 9].map(retryDelayMs)).toEqual([1_000, 2_000, 4_000, 8_000, 15_000, 15_000]);
});
