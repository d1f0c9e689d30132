import type { UseQueryResult } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { formatAboutMoney, formatCount, formatMonth } from '../../format';
import type { Schemas } from '../../server/api';
import { Figure, Figures } from '../../ui/Figures';
import { Loaded } from '../../ui/Loaded';
import { Money } from '../../ui/Money';
import { Panel } from '../../ui/Panel';
import { FigureLines } from '../../ui/Skeleton';
import { Time } from '../../ui/Time';
import { daysLeft, forecast } from './forecast';

type Billing = Schemas['BillingOverview'];

export function MoneyPanel({ query }: { query: UseQueryResult<Billing> }) {
  return (
    <Panel
      title="Money"
      aside={
        <span className="text-xs text-muted">{query.data?.is_simulated_chain === true ? 'Simulated chain: play money' : 'USDC on Sui'}</span>
      }
    >
      <Loaded query={query} skeleton={<FigureLines />}>
        {(billing) => <MoneyFigures billing={billing} />}
      </Loaded>
    </Panel>
  );
}

function MoneyFigures({ billing }: { billing: Billing }) {
  const { draft, escrow, runway, credits_micros: credits } = billing;
  const expected = forecast(billing);
  return (
    <Figures>
      <Figure
        label="Next invoice so far"
        note={
          draft === undefined ? (
            'Nothing is billed yet'
          ) : (
            <>
              <Link to="/billing/invoices/$invoice" params={{ invoice: 'draft' }} className="text-link hover:underline">
                {formatMonth(draft.month)}, line by line
              </Link>
              {draft.credits_micros > 0 && (
                <>
                  ; <Money micros={draft.credits_micros} /> of credit used
                </>
              )}
            </>
          )
        }
      >
        <span data-testid="month-cost">
          <Money micros={draft?.amount_micros ?? 0} />
        </span>
      </Figure>
      <Figure label="Expected at month end" note={draft === undefined || expected === undefined ? 'Not enough is known' : rateNote(daysLeft(draft.month, billing.as_of))}>
        {expected === undefined ? '–' : formatAboutMoney(expected)}
      </Figure>
      <Figure
        label="Balance"
        note={
          <>
            <Link to="/billing/escrow" className="text-link hover:underline">
              Escrow
            </Link>
            , and{' '}
            <Link to="/billing/credits" className="text-link hover:underline">
              <Money micros={credits} /> of credit
            </Link>
          </>
        }
      >
        <Money micros={escrow?.balance_micros ?? 0} />
      </Figure>
      <Figure label="Lasts for" note={draft === undefined ? 'Nothing is used yet' : <RunwayNote runway={runway} />}>
        {runway === undefined || draft === undefined ? '–' : runway.end === 'beyond' ? 'Over a year' : `${formatCount(runway.days)} ${runway.days === 1 ? 'day' : 'days'}`}
      </Figure>
    </Figures>
  );
}

function rateNote(days: number): string {
  if (days === 0) return 'The month is over, and being closed';
  return `At the present rate, ${formatCount(days)} ${days === 1 ? 'day' : 'days'} to go`;
}

function RunwayNote({ runway }: { runway: Billing['runway'] }) {
  if (runway === undefined) return null;
  if (runway.ends_at === undefined) return <>Renewals and usage included</>;
  return (
    <>
      {runway.end === 'spending_limit' ? 'Spending limit, ' : 'Until '}
      <Time at={runway.ends_at} show="day" />
    </>
  );
}
