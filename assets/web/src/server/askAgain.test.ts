import { expect, test } from 'vitest';
import { askAgainMs, isWorthAskingAgain } from './askAgain';
import { ApiError, Unreachable } from './problem';

const failed = (code: 'queries_busy' | 'not_found') => new ApiError({ type: 'about:blank', title: 'No', status: 500, code });

test('what failed for a reason that passes is asked again soon, whatever is usual', () => {
  for (const error of [failed('queries_busy'), new Unreachable('gone')]) {
    expect(isWorthAskingAgain(error)).toBe(true);
    for (const usual of [false, 1_000, 60_000] as const) expect(askAgainMs(error, usual)).toBe(5_000);
  }
});

test('anything else is asked as usual', () => {
  for (const error of [null, failed('not_found'), new Error('a mistake in the page')]) {
    expect(isWorthAskingAgain(error)).toBe(false);
    expect(askAgainMs(error)).toBe(false);
    expect(askAgainMs(error, 60_000)).toBe(60_000);
  }
});
