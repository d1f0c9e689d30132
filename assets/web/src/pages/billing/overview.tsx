import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { Receipt } from 'lucide-react';
import { formatAboutMoney, formatMonth } from '../../format';
import type { Schemas } from '../../server/api';
import { billingQuery } from '../../server/queries';
import { Badge } from '../../ui/Badge';
import { Banner } from '../../ui/Banner';
import { buttonClass } from '../../ui/Button';
import { Empty } from '../../ui/Empty';
import { Figure, Figures } from '../../ui/Figures';
import { Loaded } from '../../ui/Loaded';
import { Money } from '../../ui/Money';
import { Page } from '../../ui/Page';
import { RemedyLink } from '../../ui/Remedy';
import { Panel } from '../../ui/Panel';
import { Boxes } from '../../ui/Skeleton';
import { Time } from '../../ui/Time';
import { isOver, issuedOn } from './draft';
import { InvoiceLines } from './InvoiceLines';
import { InvoiceTable } from './InvoiceTable';
import { SpendCapPanel } from './SpendCapPanel';
import { invoiceQuery, latestInvoicesQuery } from './queries';

type Billing = Schemas['BillingOverview'];

export function BillingPage() {
  const billing = useQuery(billingQuery);
  return (
    <Page
      eyebrow="Account"
      title="Billing & payments"
      about="What this month has come to, what is paid, and from what."
      actions={
        <RemedyLink shortfall={billing.data?.shortfall} />
      }
    >
      <Loaded query={billing} skeleton={<Boxes count={2} height={160} className="grid gap-6" />}>
        {(value) => <Overview billing={value} />}
      </Loaded>
    </Page>
  );
}

function Overview({ billing }: { billing: Billing }) {
  return (
    <>
      {billing.is_simulated_chain && (
        <Banner tone="info" title="Simulated chain">
          All money here is play money: nothing of it is anywhere else.
        </Banner>
      )}
      <Standing billing={billing} />
      <div className="grid items-start gap-6 lg:grid-cols-[minmax(0,3fr)_minmax(0,2fr)]">
        <Draft billing={billing} />
        <div className="grid gap-6">
          <Methods billing={billing} />
          <SpendCapPanel cap={billing.spend_cap} />
        </div>
      </div>
      <Recent />
    </>
  );
}

const STANDING = {
  good: { tone: 'good', label: 'In good standing' },
  grace: { tone: 'warn', label: 'Payment overdue' },
  suspended: { tone: 'bad', label: 'Stopped: unpaid' },
  on_hold: { tone: 'warn', label: 'On hold' },
} as const;

function Standing({ billing }: { billing: Billing }) {
  const { standing, owed_micros: owed, credits_micros: credits, escrow, runway } = billing;
  const known = Object.hasOwn(STANDING, standing) ? STANDING[standing as keyof typeof STANDING] : undefined;
  return (
    <Panel title="How it stands" aside={known !== undefined && <Badge tone={known.tone}>{known.label}</Badge>}>
      <Figures>
        <Figure label="Unpaid" note={owed === 0 ? 'Everything is paid' : 'Paid at once from a deposit'}>
          <Money micros={owed} />
        </Figure>
        <Figure
          label="Escrow balance"
          note={
            <Link to="/billing/escrow" className="text-link hover:underline">
              Deposits and withdrawals
            </Link>
          }
        >
          <Money micros={escrow?.balance_micros ?? 0} />
        </Figure>
        <Figure
          label="Credit"
          note={
            <Link to="/billing/credits" className="text-link hover:underline">
              Used first
            </Link>
          }
        >
          <Money micros={credits} />
        </Figure>
        <Figure label="Usage a day" note={runway?.ends_at === undefined ? 'By the last seven days' : <>Lasts until <Time at={runway.ends_at} show="day" /></>}>
          {runway === undefined ? '–' : formatAboutMoney(runway.per_day_micros)}
        </Figure>
      </Figures>
    </Panel>
  );
}

function Draft({ billing }: { billing: Billing }) {
  const { draft } = billing;
  const detail = useQuery({ ...invoiceQuery('draft'), enabled: draft !== undefined });
  if (draft === undefined) {
    return (
      <Panel title="This month so far">
        <Empty
          Icon={Receipt}
          title="Nothing is billed yet"
          action={
            <Link to="/" className={buttonClass()}>
              See the services
            </Link>
          }
        >
          Subscriptions and usage appear here as they happen.
        </Empty>
      </Panel>
    );
  }
  return (
    <Panel
      title={`Next invoice so far, ${formatMonth(draft.month)}`}
      aside={
        <Link to="/billing/invoices/$invoice" params={{ invoice: 'draft' }} className="text-[13px] text-link hover:underline">
          Open
        </Link>
      }
    >
      <Loaded query={detail}>
        {({ lines }) => (
          <div className="px-1 py-1 sm:px-2">
            <InvoiceLines lines={lines} />
          </div>
        )}
      </Loaded>
      <dl className="flex items-baseline justify-between border-t border-line px-4 py-3 sm:px-5">
        <dt className="text-[13px] font-semibold">
          {isOver(draft.month, billing.as_of) ? `To pay as soon as ${formatMonth(draft.month)} is closed` : <>To pay on <Time at={issuedOn(draft.month)} show="day" /></>}
        </dt>
        <dd className="text-xl font-semibold">
          <Money micros={draft.amount_micros} />
        </dd>
      </dl>
    </Panel>
  );
}

function Methods({ billing }: { billing: Billing }) {
  const { payment_methods: methods, escrow } = billing;
  return (
    <Panel title="Payment methods" aside={<span className="text-xs text-muted">Asked in this order</span>}>
      <ol className="divide-y divide-line text-[13px]">
        <li className="flex items-center justify-between gap-4 px-4 py-3 sm:px-5">
          <span>
            <span className="font-medium">1. Credit</span>
            <span className="block text-xs text-muted">What expires first is used first</span>
          </span>
          <Money micros={billing.credits_micros} />
        </li>
        {methods.map((method, index) => (
          <li key={method} className="flex items-center justify-between gap-4 px-4 py-3 sm:px-5">
            <span>
              <span className="font-medium">
                {index + 2}. {method === 'escrow' ? 'Escrow on Sui' : method}
              </span>
              {escrow !== undefined && (
                <span className="block text-xs text-muted">
                  {escrow.period_left_micros === undefined ? (
                    'No spending limit'
                  ) : (
                    <>
                      <Money micros={escrow.period_left_micros} /> of the limit is left until <Time at={escrow.period_ends_at} show="day" />
                    </>
                  )}
                </span>
              )}
            </span>
            <Money micros={escrow?.balance_micros ?? 0} />
          </li>
        ))}
      </ol>
    </Panel>
  );
}

function Recent() {
  const invoices = useQuery(latestInvoicesQuery);
  return (
    <Panel
      title="Latest invoices"
      aside={
        <Link to="/billing/invoices" className="text-[13px] text-link hover:underline">
          All invoices
        </Link>
      }
    >
      <Loaded query={invoices}>{({ items }) => <InvoiceTable rows={items.filter(({ state }) => state !== 'draft')} />}</Loaded>
    </Panel>
  );
}
