import { Link } from '@tanstack/react-router';
import type { Schemas } from '../server/api';
import type { Shortfall } from '../server/remedy';
import { remedyOf } from '../server/remedy';
import { buttonClass } from './Button';
import { Money } from './Money';
import { Time } from './Time';

/** To where what is missing is done something about. */
export function RemedyLink({ shortfall, kind = 'primary' }: { shortfall: Shortfall | undefined; kind?: 'primary' | 'default' }) {
  const { label, search } = remedyOf(shortfall);
  return (
    <Link to="/billing/escrow" search={search} className={buttonClass(kind)}>
      {label}
    </Link>
  );
}

/** What it takes to pay what is owed; nothing as long as that is not known. */
export function RemedyText({ billing }: { billing: Schemas['BillingOverview'] | undefined }) {
  if (billing === undefined) return null;
  if (billing.standing === 'on_hold') return <>Billing is on hold: nothing is charged until it has been looked into.</>;
  // After the last try that was declined nobody asks again by themselves.
  if (billing.shortfall === undefined) return <>Nothing is missing: if no payment is under way, it can be paid now.</>;
  const { balance_micros: balance, spending_limit: limit } = billing.shortfall;
  const deposit = (
    <>
      a deposit of <Money micros={balance} />
    </>
  );
  if (limit === undefined) return <>It takes {deposit}, which pays it at once.</>;
  const raise = (
    <>
      a spending limit of <Money micros={limit.needed_micros} />
    </>
  );
  return (
    <>
      {balance > 0 ? <>It takes {deposit} and {raise}.</> : <>The money is there, but your spending limit does not allow it: it takes {raise}.</>}
      {limit.allows_at !== undefined && (
        <>
          {' '}
          The present limit allows it from <Time at={limit.allows_at} />.
        </>
      )}
    </>
  );
}
