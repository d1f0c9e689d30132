import { formatMoney } from '../../format';
import { dollarsUp } from '../../server/deposit';
import { DepositForm } from './DepositForm';

const MICROS_PER_CENT = 10_000;

/** Where the balance is short: how much is missing, and the deposit right there. */
export function DepositInPlace({ shortMicros, waits }: { shortMicros: number; waits: boolean }) {
  const cents = Math.ceil(shortMicros / MICROS_PER_CENT);
  return (
    <section aria-label="Deposit" className="rounded border border-warn-line bg-warn-fill p-4">
      <h3 className="text-[13px] font-semibold text-warn">Your balance is {formatMoney(cents * MICROS_PER_CENT)} short</h3>
      <p className="mt-0.5 mb-3 text-[13px]">Deposit it here; then confirm below. {waits ? 'Without it, what you ask for waits for the payment.' : 'Without it, nothing is changed.'}</p>
      <DepositForm initial={dollarsUp(shortMicros)} />
    </section>
  );
}
