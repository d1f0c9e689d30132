import { memo } from 'react';
import type { Customer, Price, Service, Tier, TrafficClass } from '../../api';
import { formatCount } from '../../../format';
import { ClassDot } from '../../../ui/ClassDot';
import { CLASSES, countAll, countByClass } from '../traffic';
import { TrafficChart } from './TrafficChart';

const SERVICE: Record<Service, string> = { seal: 'Seal', grpc: 'gRPC', graphql: 'GraphQL' };
const TIER: Record<Tier, string> = { starter: 'Starter', pro: 'Pro', enterprise: 'Enterprise' };

interface CustomerCardProps {
  customer: Customer;
  price: Price;
}

/** Memoised because overviews come several times a second, and the query cache keeps what did not change identical. */
export const CustomerCard = memo(function CustomerCard({ customer, price }: CustomerCardProps) {
  return (
    <article
      aria-label={customer.name}
      data-testid="customer-card"
      data-customer-id={customer.customer_id}
      className="flex min-w-0 flex-col rounded border border-line bg-raised"
    >
      <Heading customer={customer} />
      <MonthFigures customer={customer} />
      <div className="grid gap-x-8 gap-y-3 p-4 sm:px-5 md:max-xl:grid-cols-[minmax(0,1fr)_280px]">
        <TrafficChart customer={customer} />
        <ClassRows customer={customer} />
      </div>
      <Invoice customer={customer} price={price} />
    </article>
  );
});

function Heading({ customer }: { customer: Customer }) {
  return (
    <div className="border-b border-line px-4 py-3 sm:px-5">
      <h3 className="truncate text-[15px] font-semibold" title={customer.name}>
        {customer.name}
      </h3>
      <div className="mt-0.5 flex justify-between gap-3 text-xs text-muted">
        <p className="shrink-0">
          {SERVICE[customer.service]} · {TIER[customer.tier]}
        </p>
        <p className="truncate">
          <span className="sr-only">API key </span>
          <span className="font-mono">{customer.key_hint}</span>
        </p>
      </div>
    </div>
  );
}

function MonthFigures({ customer }: { customer: Customer }) {
  return (
    <dl className="grid grid-cols-2 divide-x divide-line border-b border-line">
      <div className="py-3 pl-4 pr-2 sm:pl-5">
        <dt className="text-xs text-muted">Requests this month</dt>
        <dd data-testid="customer-requests" className="mt-0.5 text-xl leading-7 font-semibold tracking-tight">
          {formatCount(customer.requests)}
        </dd>
      </div>
      <div className="py-3 pl-4 pr-2 sm:pl-5">
        <dt className="text-xs text-muted">Cost this month</dt>
        <dd data-testid="customer-cost" className="mt-0.5 text-xl leading-7 font-semibold tracking-tight">
          {customer.usage_display}
        </dd>
      </div>
    </dl>
  );
}

function ClassRows({ customer }: { customer: Customer }) {
  const counts = countByClass(customer.series);
  return (
    <table className="self-start text-[13px]">
      <caption className="sr-only">Requests in the last five minutes, by class</caption>
      <thead className="sr-only">
        <tr>
          <th scope="col">Class</th>
          <th scope="col">Billing</th>
          <th scope="col">Requests</th>
        </tr>
      </thead>
      <tbody>
        {CLASSES.map(({ id, label, meaning }) => (
          <tr key={id} title={meaning}>
            <th scope="row" className="py-0.5 text-left font-normal">
              <span className="flex items-center gap-2">
                <ClassDot id={id} />
                {label}
              </span>
            </th>
            <td className="py-0.5 pr-2 text-xs text-muted">{billing(id, customer)}</td>
            <td className="py-0.5 text-right">{formatCount(counts[id])}</td>
          </tr>
        ))}
        <tr className="border-t border-line font-medium">
          <th scope="row" colSpan={2} className="pt-1.5 text-left font-medium">
            Last five minutes
          </th>
          <td className="pt-1.5 text-right">{formatCount(countAll(counts))}</td>
        </tr>
      </tbody>
    </table>
  );
}

function billing(id: TrafficClass, { guaranteed_per_s, burst_per_s }: Customer): string {
  if (id === 'guaranteed') return `billed up to ${formatCount(guaranteed_per_s)}/s`;
  if (id === 'burst') return burst_per_s === 0 ? 'not in this tier' : `billed up to ${formatCount(burst_per_s)}/s`;
  return 'not billed';
}

function Invoice({ customer, price }: { customer: Customer; price: Price }) {
  return (
    <div className="mt-auto rounded-b border-t border-line bg-sunken px-4 py-3 sm:px-5">
      <div className="flex items-baseline justify-between gap-3 text-[13px]">
        <p className="font-medium">Draft invoice</p>
        <p className="font-semibold">{customer.invoice_display}</p>
      </div>
      <p className="mt-0.5 text-xs text-muted">
        {formatCount(customer.billable_requests)} billable × {price.display} per {formatCount(price.per_requests)}, rounded down to
        the cent
      </p>
    </div>
  );
}
