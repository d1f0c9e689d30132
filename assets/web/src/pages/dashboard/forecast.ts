/** What the next invoice will probably ask for: what it does so far, and the present rate for the days that are left. */
import type { Schemas } from '../../server/api';
import { issuedOn } from '../billing/draft';

const DAY_MS = 86_400_000;
const MICROS_PER_CENT = 10_000;

/** Whole days from now to the end of the draft's month, in UTC; 0 once that is over and waits for the last of its requests. */
export function daysLeft(month: string, asOf: string): number {
  return Math.max(0, Math.ceil((Date.parse(issuedOn(month)) - Date.parse(asOf)) / DAY_MS));
}

/** In micro-dollars, to whole cents, because it is a guess. */
export function forecast({ as_of: asOf, draft, runway, credits_micros: credits }: Schemas['BillingOverview']): number | undefined {
  if (draft === undefined || runway === undefined) return undefined;
  const usage = runway.per_day_micros * daysLeft(draft.month, asOf);
  const creditLeft = Math.max(0, credits - draft.credits_micros);
  const expected = draft.amount_micros + Math.max(0, usage - creditLeft);
  return Math.floor(expected / MICROS_PER_CENT) * MICROS_PER_CENT;
}
