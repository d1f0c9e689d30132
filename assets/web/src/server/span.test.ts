import { expect, test } from 'vitest';
import { ofField, spanName, spanOf, spanProblem, spanText, toField } from './span';

const NOW = Date.parse('2026-11-26T12:00:00Z');

test('a wrong stretch of time is refused with a sentence', () => {
  for (const [from, to, problem] of [
    ['2026-11-01T00:00:00Z', '2026-11-02T00:00:00Z', undefined],
    ['2026-11-01T00:00:00Z', undefined, undefined],
    ['2026-11-26T11:59:00Z', '2026-11-27T00:00:00Z', undefined],
    ['2025-10-22T12:00:00Z', undefined, undefined],
    ['2025-10-22T11:59:00Z', undefined, 'At most 400 days can be shown at once.'],
    ['2025-01-01T00:00:00Z', '2026-11-01T00:00:00Z', 'At most 400 days can be shown at once.'],
    ['2026-11-02T00:00:00Z', '2026-11-02T00:00:00Z', 'The end must be after the beginning.'],
    ['2026-11-02T00:00:00Z', '2026-11-01T00:00:00Z', 'The end must be after the beginning.'],
    ['2026-11-26T12:00:00Z', undefined, 'The beginning must lie in the past.'],
    ['1999-12-31T00:00:00Z', '2000-01-02T00:00:00Z', 'The beginning must lie in 2000 or later.'],
    ['', '2026-11-01T00:00:00Z', 'Give the whole date and time at which it begins.'],
    ['2026-11-01T00:00:00Z', 'soon', 'Give the whole date and time at which it ends, or leave it out for now.'],
  ] as const) {
    expect(spanProblem(to === undefined ? { from } : { from, to }, NOW), `${from} to ${to}`).toBe(problem);
  }
});

test('of an address, free ends count before a range, and an end alone is nothing', () => {
  expect(spanOf({})).toEqual({ range: '24h' });
  expect(spanOf({ range: '7d', from: '2026-11-01T00:00:00Z' })).toEqual({ from: '2026-11-01T00:00:00Z' });
  expect(spanOf({ range: '7d', to: '2026-11-01T00:00:00Z' })).toEqual({ range: '7d' });
});

test('a stretch has words and a name for files', () => {
  const free = { from: '2026-11-01T00:00:00Z', to: '2026-11-02T06:30:00Z' };
  expect(spanText(free)).toBe('1 Nov 2026, 00:00 UTC to 2 Nov 2026, 06:30 UTC');
  expect(spanName(free)).toBe('20261101T0000Z-20261102T0630Z');
  expect(spanText({ from: free.from })).toBe('1 Nov 2026, 00:00 UTC to now');
  expect([spanText({ range: '7d' }), spanName({ range: '7d' })]).toEqual(['last 7d', '7d']);
});

test('fields are UTC, whatever the zone in the address', () => {
  expect(toField('2026-11-01T02:00:00+02:00')).toBe('2026-11-01T00:00');
  expect(ofField('2026-11-01T00:00')).toBe('2026-11-01T00:00:00Z');
  expect([toField('soon'), ofField('')]).toEqual(['', '']);
});
