import { AmountForm } from './AmountForm';

const MIN_LIMIT_MICROS = 10_000_000;

/** A new spending limit, signed by the wallet. `initial` is in dollars. */
export function LimitForm({ initial }: { initial: string }) {
  return (
    <AmountForm
      action="set_spending_limit"
      label="New limit for 28 days"
      button="Set the limit"
      initial={initial}
      done="The new limit is in force."
      check={(micros) => (micros > 0 && micros < MIN_LIMIT_MICROS ? 'At least $10, or 0 for no limit.' : undefined)}
    />
  );
}
