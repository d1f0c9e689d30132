import { describe, expect, test } from 'vitest';
import { formatCount, formatDuration, formatMoney, formatMonth, formatRate, formatShare, formatTime } from './format';

describe('money is exact, with cents at least', () => {
  test.each([
    [0, '$0.00'],
    [1, '$0.000001'],
    [100, '$0.0001'],
    [390_000, '$0.39'],
    [1_200_100, '$1.2001'],
    [1_000_000, '$1.00'],
    [1_234_567_890_000, '$1,234,567.89'],
    [-2_500_000, '−$2.50'],
  ])('%d → %s', (micros, expected) => expect(formatMoney(micros)).toBe(expected));
});

describe('counts and rates are grouped', () => {
  test.each([
    [0, '0', '0.0'],
    [12_345, '12,345', '12,345.0'],
    [71.44, '71', '71.4'],
  ])('%d', (value, count, rate) => {
    expect(formatCount(value)).toBe(count);
    expect(formatRate(value)).toBe(rate);
  });
});

describe('a share is never rounded into all or nothing', () => {
  test.each([
    [0, 0, '–'],
    [0, 10, '0.0 %'],
    [10, 10, '100.0 %'],
    [1, 1_000_000, '< 0.1 %'],
    [999_999, 1_000_000, '> 99.9 %'],
    [12_001, 12_345, '97.2 %'],
  ])('%d of %d → %s', (part, whole, expected) => expect(formatShare(part, whole)).toBe(expected));
});

describe('a duration has one unit', () => {
  test.each([
    [null, '–'],
    [0, '0 ms'],
    [180, '180 ms'],
    [999, '999 ms'],
    [999.6, '1.0 s'],
    [1_000, '1.0 s'],
    [12_340, '12.3 s'],
  ])('%s → %s', (ms, expected) => expect(formatDuration(ms)).toBe(expected));
});

describe('times and months are UTC', () => {
  test('time', () => expect(formatTime(Date.parse('2026-11-23T23:59:05.900Z'))).toBe('23:59:05'));
  test.each([
    ['2026-11', 'November 2026'],
    ['2027-01', 'January 2027'],
    ['soon', 'soon'],
  ])('%s → %s', (month, expected) => expect(formatMonth(month)).toBe(expected));
});
