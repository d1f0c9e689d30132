import { describe, expect, test } from 'vitest';
import {
  formatBytes,
  formatChange,
  formatCount,
  formatDuration,
  formatInstant,
  formatMoney,
  formatMonth,
  formatRate,
  formatShare,
  formatShort,
  formatTick,
  formatTime,
  formatTimeOfDay,
  parseMoney,
  shortAddress,
  splitMoney,
} from './format';

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

describe('an amount that is typed is read to the micro-dollar, or not at all', () => {
  test.each([
    ['12', 12_000_000],
    ['$12.50', 12_500_000],
    ['1,250.00', 1_250_000_000],
    ['0.000001', 1],
    [' 7 ', 7_000_000],
    ['0', 0],
    ['', undefined],
    ['-5', undefined],
    ['1.0000001', undefined],
    ['1,25', undefined],
    ['1e3', undefined],
    ['12.', undefined],
  ])('%s', (text, expected) => expect(parseMoney(text)).toBe(expected));
});

test('cents stand apart from what is below them', () => {
  expect(splitMoney(1_200_100)).toEqual({ cents: '$1.20', below: '01' });
  expect(splitMoney(-24_160_000)).toEqual({ cents: '−$24.16', below: '' });
});

test('instants are UTC, and ticks as fine as their steps', () => {
  const at = Date.parse('2026-11-26T08:57:33Z');
  expect(formatInstant(at)).toBe('26 Nov 2026, 08:57 UTC');
  expect(formatInstant(at, true)).toBe('26 Nov 2026, 08:57:33 UTC');
  expect(formatTimeOfDay(at)).toBe('08:57 UTC');
  expect([formatTick(at, 900), formatTick(at, 86_400)]).toEqual(['08:57', '26 Nov']);
});

test('sizes have units, and changes a direction', () => {
  expect([0, 999, 1_000, 12_531_554, 3.2e15].map(formatBytes)).toEqual(['0 B', '999 B', '1.0 kB', '12.5 MB', '3.2 PB']);
  expect([0, 0.5, 999, 1_000, 1_250, 2e6, 3.1e9].map(formatShort)).toEqual(['0', '0.5', '999', '1 k', '1.25 k', '2 M', '3.1 G']);
  expect([formatChange(110, 100), formatChange(50, 100), formatChange(2_500, 100), formatChange(1, 0)]).toEqual(['+10.0 %', '−50.0 %', '× 25', '–']);
  expect(shortAddress(`0x${'ab'.repeat(32)}`)).toBe('0xabab…abab');
});
