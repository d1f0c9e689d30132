/** The deposit that pays what is owed. */
import type { EscrowSearch } from '../search';
import type { Schemas } from './api';

const MICROS_PER_CENT = 10_000;

type Owing = Pick<Schemas['BillingOverview'], 'owed_micros'> & { escrow?: { balance_micros: number } };

/** Opens the deposit with what is owed and the balance lacks, rounded up to a cent; without an amount if it lacks nothing. */
export function depositSearch(billing: Owing | undefined): EscrowSearch {
  const missing = (billing?.owed_micros ?? 0) - (billing?.escrow?.balance_micros ?? 0);
  return missing > 0 ? { action: 'deposit', amount: dollarsUp(missing) } : { action: 'deposit' };
}

/** As one would type it: "185.01". */
export function dollarsUp(micros: number): string {
  return (Math.ceil(micros / MICROS_PER_CENT) / 100).toFixed(2);
}
