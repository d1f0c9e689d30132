import type { Shortfall } from '../../server/remedy';
import { dollarsUp } from '../../server/remedy';
import { Money } from '../../ui/Money';
import { Time } from '../../ui/Time';
import { DepositForm } from './DepositForm';
import { LimitForm } from './LimitForm';

interface PayInPlaceProps {
  shortfall: Shortfall;
  /** Whether it is done all the same, and waits for the payment. */
  waits: boolean;
}

/** What is missing for something that is to be paid, and the means right there: first the money, then the limit. */
export function PayInPlace({ shortfall, waits }: PayInPlaceProps) {
  const { balance_micros: missing, spending_limit: limit } = shortfall;
  const otherwise = waits ? 'Without it, what you ask for waits for the payment.' : 'Without it, nothing is changed.';
  return (
    <div className="grid gap-4">
      {missing > 0 && (
        <Missing label="Deposit" title={<>Your balance is <Money micros={missing} /> short</>} about={<>Deposit it here; then confirm below. {otherwise}</>}>
          <DepositForm initial={dollarsUp(missing)} />
        </Missing>
      )}
      {limit !== undefined && (
        <Missing
          label="Spending limit"
          title={<>Your spending limit does not allow it: it takes <Money micros={limit.needed_micros} /></>}
          about={
            <>
              Raise it here; then confirm below. {otherwise}
              {limit.allows_at !== undefined && (
                <>
                  {' '}
                  The present limit allows it from <Time at={limit.allows_at} />.
                </>
              )}
            </>
          }
        >
          <LimitForm initial={dollarsUp(limit.needed_micros)} />
        </Missing>
      )}
    </div>
  );
}

function Missing({ label, title, about, children }: { label: string; title: React.ReactNode; about: React.ReactNode; children: React.ReactNode }) {
  return (
    <section aria-label={label} className="rounded border border-warn-line bg-warn-fill p-4">
      <h3 className="text-[13px] font-semibold text-warn">{title}</h3>
      <p className="mt-0.5 mb-3 text-[13px] text-pretty">{about}</p>
      {children}
    </section>
  );
}
