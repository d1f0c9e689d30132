import { expect, test } from 'vitest';
import { daysLeft, forecast } from './forecast';

test('days to the end of the month are counted in UTC, the present one included', () => {
  for (const [now, days] of [
    ['2026-11-26T08:00:00Z', 5],
    ['2026-11-30T23:59:59Z', 1],
    ['2026-12-31T00:00:00Z', 1],
    ['2028-02-01T00:00:00Z', 29],
    ['2026-11-30T23:30:00-02:00', 31],
  ] as const) {
    expect(daysLeft(now), now).toBe(days);
  }
});

test('a forecast is what is there and the rate for the days left, in whole cents', () => {
  const billing = { as_of: '2026-11-26T08:00:00Z', draft: { charges_micros: 39_540_000 }, runway: { per_day_micros: 536_358 } };
  expect(forecast(billing as unknown as Parameters<typeof forecast>[0])).toBe(42_220_000);
  expect(forecast({ as_of: '2026-11-26T08:00:00Z' } as unknown as Parameters<typeof forecast>[0])).toBeUndefined();
});
