/** What a customer does about something that cannot be paid: a deposit, or a higher spending limit. */
import type { EscrowSearch } from '../search';
import type { Schemas } from './api';

const MICROS_PER_CENT = 10_000;

export type Shortfall = Schemas['Shortfall'];

export interface Remedy {
  label: 'Deposit' | 'Raise the limit';
  search: EscrowSearch;
}

/** First the money, then the limit. */
export function remedyOf(shortfall: Shortfall | undefined): Remedy {
  const isLimit = shortfall?.balance_micros === 0 && shortfall.spending_limit !== undefined;
  return isLimit ? { label: 'Raise the limit', search: limitSearch(shortfall) } : { label: 'Deposit', search: depositSearch(shortfall) };
}

/** Opens the deposit with what is missing; without an amount if nothing is, or is known. */
export function depositSearch(shortfall: Shortfall | undefined): EscrowSearch {
  const missing = shortfall?.balance_micros ?? 0;
  return missing > 0 ? { action: 'deposit', amount: dollarsUp(missing) } : { action: 'deposit' };
}

/** Opens the spending limit with the one that is needed, if it is too small. */
export function limitSearch(shortfall: Shortfall | undefined): EscrowSearch {
  const needed = shortfall?.spending_limit?.needed_micros;
  return needed === undefined ? { action: 'limit' } : { action: 'limit', amount: dollarsUp(needed) };
}

/** As one would type it, rounded up to a cent: "185.01". */
export function dollarsUp(micros: number): string {
  return (Math.ceil(micros / MICROS_PER_CENT) / 100).toFixed(2);
}
