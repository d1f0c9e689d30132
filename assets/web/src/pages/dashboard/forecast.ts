/** What the month will probably come to: what it has come to, and the present rate for the days that are left. */
import type { Schemas } from '../../server/api';

const DAY_MS = 86_400_000;
const MICROS_PER_CENT = 10_000;

/** Whole days from now to the end of the month, in UTC. */
export function daysLeft(asOf: string): number {
  const now = new Date(asOf);
  const end = Date.UTC(now.getUTCFullYear(), now.getUTCMonth() + 1, 1);
  return Math.ceil((end - now.getTime()) / DAY_MS);
}

/** In micro-dollars, to whole cents, because it is a guess. */
export function forecast({ as_of: asOf, draft, runway }: Schemas['BillingOverview']): number | undefined {
  if (draft === undefined || runway === undefined) return undefined;
  const expected = draft.charges_micros + runway.per_day_micros * daysLeft(asOf);
  return Math.floor(expected / MICROS_PER_CENT) * MICROS_PER_CENT;
}
