import { expect, test } from 'vitest';
import { ApiError, Unreachable, codeOf, fieldMessages, problemOf } from './problem';

const answer = (status: number, headers: Record<string, string> = {}) => new Response(null, { status, headers });

test('a problem of the API keeps its code, and says how long to wait', () => {
  const error = problemOf({ type: 'about:blank', title: 'Slow down', status: 429, code: 'rate_limited', detail: 'at most 5' }, answer(429, { 'retry-after': '7' }));
  expect(error).toMatchObject({ message: 'at most 5', retryAfterS: 7 });
  expect(codeOf(error)).toBe('rate_limited');
});

test('what is no problem document is told as a failure of the server', () => {
  for (const body of [undefined, 'Bad gateway', { error: 'x' }, null]) {
    expect(codeOf(problemOf(body, answer(502)))).toBe('internal');
  }
  expect(codeOf(new Unreachable(new TypeError('refused')))).toBe('unreachable');
  expect(codeOf(new Error('other'))).toBeUndefined();
});

test('mistakes in entries of a list belong to the list', () => {
  const errors = [
    { field: 'ip_allowlist[1]', message: 'is no address' },
    { field: 'ip_allowlist', message: 'has too many' },
    { field: 'burst', message: 'is not in this tier' },
  ];
  const error = new ApiError({ type: 'about:blank', title: 'Not allowed', status: 422, code: 'invalid_fields', errors });
  expect(fieldMessages(error, 'ip_allowlist')).toEqual(['is no address', 'has too many']);
  expect(fieldMessages(error, 'name')).toEqual([]);
  expect(fieldMessages(null, 'name')).toEqual([]);
});
