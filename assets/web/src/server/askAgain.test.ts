import { expect, test } from 'vitest';
import { askAgainMs, isWorthAskingAgain } from './askAgain';
import { ApiError, Unreachable } from './problem';

const failed = (code: 'queries_busy' | 'not_found' | 'rate_limited', retryAfterS?: number) => new ApiError({ type: 'about:blank', title: 'No', status: 500, code }, retryAfterS);

test('what failed for a reason that passes is asked again soon, whatever is usual', () => {
  for (const error of [failed('queries_busy'), new Unreachable('gone')]) {
    expect(isWorthAskingAgain(error)).toBe(true);
    for (const usual of [false, 1_000, 60_000] as const) expect(askAgainMs(error, usual)).toBe(5_000);
  }
});

test('what was refused because too much is asked waits as long as the server says, and ten seconds at least', () => {
  for (const [retryAfterS, ms] of [
    [undefined, 10_000],
    [1, 10_000],
    [45, 45_000],
  ] as const) {
    expect(askAgainMs(failed('rate_limited', retryAfterS), 1_000)).toBe(ms);
  }
});

test('anything else is asked as usual', () => {
  for (const error of [null, failed('not_found'), new Error('a mistake in the page')]) {
    expect(isWorthAskingAgain(error)).toBe(false);
    expect(askAgainMs(error)).toBe(false);
    expect(askAgainMs(error, 60_000)).toBe(60_000);
  }
});
