import { expect, test } from 'vitest';
import { parseMoney } from '../../format';
import { capText, stopsAtOnce } from './spendCap';

test('a cap in its field is the stored one, to the last digit', () => {
  expect(capText(undefined)).toBe('');
  for (const micros of [5_000, 10_000, 25_000_000, 1_234_567_890, 999_999_999_999_999]) {
    expect(parseMoney(capText({ amount_micros: micros }))).toBe(micros);
  }
});

test('keys stop at once when a hard stop is at or below what is spent', () => {
  const cap = { spent_micros: 5_000_000 };
  expect(stopsAtOnce(5_000_000, true, cap)).toBe(true);
  expect(stopsAtOnce(4_999_999, true, cap)).toBe(true);
  expect(stopsAtOnce(5_000_001, true, cap)).toBe(false);
  expect(stopsAtOnce(1, false, cap)).toBe(false);
  expect(stopsAtOnce(undefined, true, cap)).toBe(false);
  expect(stopsAtOnce(1, true, undefined)).toBe(false);
});
