import { expect, test } from 'vitest';
import { daysLeft, forecast } from './forecast';

test('days to the end of the draft’s month are counted in UTC, the present one included', () => {
  for (const [month, now, days] of [
    ['2026-11', '2026-11-26T08:00:00Z', 5],
    ['2026-11', '2026-11-30T23:59:59Z', 1],
    ['2026-12', '2026-12-31T00:00:00Z', 1],
    ['2028-02', '2028-02-01T00:00:00Z', 29],
    ['2026-12', '2026-11-30T23:30:00-02:00', 31],
    ['2026-11', '2026-12-01T00:00:00Z', 0],
    ['2026-11', '2026-12-01T17:00:00Z', 0],
  ] as const) {
    expect(daysLeft(month, now), now).toBe(days);
  }
});

type Billing = Parameters<typeof forecast>[0];

function billing(asOf: string, credits: number): Billing {
  const draft = { month: '2026-11', charges_micros: 39_540_000, credits_micros: 9_540_000, amount_micros: 30_000_000 };
  return { as_of: asOf, draft, runway: { per_day_micros: 536_358 }, credits_micros: credits } as unknown as Billing;
}

test('a forecast is what is to pay so far and the rate for the days left, less the credit that is left, in whole cents', () => {
  for (const [now, credits, expected] of [
    ['2026-11-26T08:00:00Z', 9_540_000, 32_680_000],
    ['2026-11-26T08:00:00Z', 10_540_000, 31_680_000],
    ['2026-11-26T08:00:00Z', 99_540_000, 30_000_000],
    ['2026-12-01T05:00:00Z', 9_540_000, 30_000_000],
  ] as const) {
    expect(forecast(billing(now, credits)), `${now} ${credits}`).toBe(expected);
  }
  expect(forecast({ as_of: '2026-11-26T08:00:00Z' } as unknown as Billing)).toBeUndefined();
});
