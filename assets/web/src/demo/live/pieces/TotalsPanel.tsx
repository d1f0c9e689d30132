import type { ReactNode } from 'react';
import type { Overview, Price, Usage } from '../../api';
import { formatCount, formatMoney, formatMonth, formatShare } from '../../../format';
import { ClassDot } from '../../../ui/ClassDot';
import { Panel } from '../../../ui/Panel';
import type { ClassCounts } from '../traffic';
import { CLASSES, addCounts, countAll, countByClass } from '../traffic';

export function TotalsPanel({ overview }: { overview: Overview }) {
  const { total, price, customers, month } = overview;
  const recent = addCounts(customers.map(({ series }) => countByClass(series)));
  return (
    <Panel title={`${formatMonth(month)}, all customers`} aside={<UnitPrice price={price} />}>
      <dl className="grid sm:grid-cols-3 sm:divide-x sm:divide-line max-sm:divide-y max-sm:divide-line">
        <Figure label="Requests this month" note="All classes of traffic">
          <span data-testid="total-requests">{formatCount(total.requests)}</span>
        </Figure>
        <Figure label="Billable requests" note={billableNote(total)}>
          {formatCount(total.billable_requests)}
        </Figure>
        <Figure label="Cost this month" note={costNote(price)}>
          <span data-testid="total-cost">{total.usage_display}</span>
        </Figure>
      </dl>
      <RecentTraffic counts={recent} />
    </Panel>
  );
}

function Figure({ label, note, children }: { label: string; note: string; children: ReactNode }) {
  return (
    <div className="px-4 py-4 sm:px-5">
      <dt className="text-[13px] text-muted">{label}</dt>
      <dd className="mt-1 text-[28px] leading-9 font-semibold tracking-tight">{children}</dd>
      <dd className="text-xs text-muted">{note}</dd>
    </div>
  );
}

function RecentTraffic({ counts }: { counts: ClassCounts }) {
  const all = countAll(counts);
  return (
    <div className="border-t border-line px-4 py-4 sm:px-5">
      <div className="flex justify-between text-[13px]">
        <h3 className="text-muted">Last five minutes</h3>
        <p>{formatCount(all)} requests</p>
      </div>
      <div aria-hidden="true" className="traffic-ink mt-2 flex h-2 gap-px overflow-hidden rounded-sm bg-line">
        {CLASSES.filter(({ id }) => counts[id] > 0).map(({ id }) => (
          <span key={id} className={`min-w-0.5 class-${id}`} style={{ flexGrow: counts[id], flexBasis: 0 }} />
        ))}
      </div>
      <ul className="mt-3 grid grid-cols-2 gap-x-4 gap-y-2 text-xs sm:grid-cols-5">
        {CLASSES.map(({ id, label, meaning }) => (
          <li key={id} title={meaning}>
            <span className="flex items-center gap-1.5 text-muted">
              <ClassDot id={id} />
              {label}
            </span>
            <span className="ml-3.5 block text-[13px] font-medium">{formatCount(counts[id])}</span>
          </li>
        ))}
      </ul>
    </div>
  );
}

function UnitPrice({ price }: { price: Price }) {
  return (
    <p className="text-right text-xs text-muted">
      Unit price <span className="font-semibold text-ink">{price.display}</span> per {formatCount(price.per_requests)} billable
    </p>
  );
}

function billableNote({ requests, billable_requests: billable }: Usage): string {
  return requests === 0 ? 'Guaranteed and burst' : `${formatShare(billable, requests)} of all requests`;
}

/** The price of one request is only named when it is a whole number of micro-dollars. */
function costNote({ amount_micros: amount, per_requests: per }: Price): string {
  return amount % per === 0 ? `Billable × ${formatMoney(amount / per)}` : 'Billable × unit price';
}
