/** Traffic classes and the sums over a series that the figures, charts and tables show. */
import type { Series, TrafficClass } from '../api';

interface ClassText {
  id: TrafficClass;
  label: string;
  meaning: string;
}

/** In stacking order, from the axis up. */
export const CLASSES: readonly ClassText[] = [
  { id: 'guaranteed', label: 'Guaranteed', meaning: 'Within the guaranteed rate' },
  { id: 'burst', label: 'Burst', meaning: 'Above the guaranteed rate, within the burst rate' },
  { id: 'limited', label: 'Rate-limited', meaning: 'Above the rate limit' },
  { id: 'refused', label: 'Refused', meaning: 'The key or the address is not accepted' },
  { id: 'failed', label: 'Failed', meaning: 'The service was not available' },
];

export type ClassCounts = Record<TrafficClass, number>;

export function countByClass(series: Series, from = 0, to = series.guaranteed.length): ClassCounts {
  const total = (id: TrafficClass) => sum(series[id].slice(from, to));
  return {
    guaranteed: total('guaranteed'),
    burst: total('burst'),
    limited: total('limited'),
    refused: total('refused'),
    failed: total('failed'),
  };
}

export function addCounts(counts: readonly ClassCounts[]): ClassCounts {
  const total = (id: TrafficClass) => sum(counts.map((one) => one[id]));
  return {
    guaranteed: total('guaranteed'),
    burst: total('burst'),
    limited: total('limited'),
    refused: total('refused'),
    failed: total('failed'),
  };
}

export function countAll(counts: ClassCounts): number {
  return sum(CLASSES.map(({ id }) => counts[id]));
}

/** Requests per second in each bucket, each class on top of those before it: the heights a stacked chart draws. */
export function stackRates(series: Series): number[][] {
  const seconds = series.step_ms / 1000;
  const heights = series.guaranteed.map(() => 0);
  return CLASSES.map(({ id }) => {
    for (const [bucket, count] of series[id].entries()) {
      heights[bucket] = (heights[bucket] ?? 0) + count / seconds;
    }
    return [...heights];
  });
}

export function peakRate(series: Series): number {
  return Math.max(0, ...(stackRates(series).at(-1) ?? []));
}

/** The counts of each whole minute of the window, oldest first, for readers who cannot see the chart. */
export function countByMinute(series: Series): ClassCounts[] {
  const perMinute = Math.max(1, Math.round(60_000 / series.step_ms));
  const minutes = Math.ceil(series.guaranteed.length / perMinute);
  return Array.from({ length: minutes }, (_, minute) =>
    countByClass(series, minute * perMinute, (minute + 1) * perMinute),
  );
}

const ROUND_TOPS = [1, 1.2, 1.6, 2, 3, 4, 5, 6, 8, 10, 12];

/** A round top for the axis, coarse enough that the scale rarely moves. */
export function axisTop(peak: number): number {
  if (peak <= 0) return 1;
  const power = 10 ** Math.floor(Math.log10(peak));
  const top = ROUND_TOPS.find((candidate) => candidate * power >= peak * 1.05) ?? 12;
  return Number((top * power).toPrecision(2));
}

/** The guaranteed rate belongs in the picture when traffic comes near it; far above, it would only flatten the bars. */
export function chartTop(peak: number, guaranteedPerS: number): number {
  const near = peak === 0 || guaranteedPerS <= 2.5 * peak;
  return axisTop(near ? Math.max(peak, guaranteedPerS) : peak);
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
