import { Link } from '@tanstack/react-router';
import { TriangleAlert } from 'lucide-react';
import type { ReactNode } from 'react';
import { formatCount } from '../../format';
import type { Schemas } from '../../server/api';
import type { Service } from '../../server/queries';
import { isServiceName, serviceLabel, tierLabel } from '../../server/names';
import { buttonClass } from '../../ui/Button';
import { Money } from '../../ui/Money';
import { Time } from '../../ui/Time';
import { TermsLink } from '../terms/TermsLink';
import { AcceptTerms } from './AcceptTerms';

interface AttentionProps {
  customer: Schemas['Customer'] | undefined;
  services: readonly Service[] | undefined;
  billing: Schemas['BillingOverview'] | undefined;
}

interface Item {
  key: string;
  text: ReactNode;
  action: ReactNode;
}

/** A balance that lasts less long is worth a word. */
const SHORT_RUNWAY_DAYS = 14;

/** What a person should see to, most pressing first. Nothing to see to, no card. */
export function AttentionCard(props: AttentionProps) {
  const items = [...termsItems(props), ...beginItems(props), ...serviceItems(props), ...moneyItems(props)];
  if (items.length === 0) return null;
  return (
    <section aria-label="Needs attention" className="overflow-hidden rounded border border-info-line">
      <h2 className="flex items-center gap-2 border-b border-info-line bg-info px-4 py-2.5 text-[13px] font-semibold sm:px-5">
        <TriangleAlert aria-hidden="true" className="size-4 text-link" strokeWidth={1.75} />
        Needs attention
      </h2>
      <ul className="divide-y divide-line bg-raised">
        {items.map(({ key, text, action }) => (
          <li key={key} className="flex flex-wrap items-center justify-between gap-x-4 gap-y-2 px-4 py-3 text-[13px] sm:px-5">
            <div className="min-w-0 flex-1 basis-60 text-pretty">{text}</div>
            {action}
          </li>
        ))}
      </ul>
    </section>
  );
}

function termsItems({ customer }: AttentionProps): Item[] {
  if (customer === undefined || (customer.terms_version ?? 0) >= customer.current_terms_version) return [];
  const version = customer.current_terms_version;
  const text = (
    <>
      Version {version} of the <TermsLink>terms of service</TermsLink> waits for you to accept it.
    </>
  );
  return [{ key: 'terms', text, action: <AcceptTerms version={version} /> }];
}

function beginItems({ services }: AttentionProps): Item[] {
  if (services === undefined || services.some(({ state }) => state !== 'not_provisioned')) return [];
  return [
    {
      key: 'begin',
      text: 'Your first request is about five minutes away: choose a service, deposit, create a key.',
      action: (
        <Link to="/welcome" className={buttonClass('primary')}>
          Get started
        </Link>
      ),
    },
  ];
}

function serviceItems({ services }: AttentionProps): Item[] {
  return (services ?? []).flatMap((service): Item[] => {
    const name = service.service;
    if (!isServiceName(name)) return [];
    const open = (
      <Link to="/services/$service" params={{ service: name }} className={buttonClass()}>
        Open {serviceLabel(name)}
      </Link>
    );
    const items: Item[] = [];
    if (service.banner !== undefined) items.push({ key: `${name} banner`, text: service.banner, action: open });
    if (service.scheduled_tier !== undefined && service.scheduled_tier_at !== undefined) {
      const text = (
        <>
          {serviceLabel(name)} changes to {tierLabel(service.scheduled_tier)} on <Time at={service.scheduled_tier_at} show="day" />.
        </>
      );
      items.push({ key: `${name} tier`, text, action: open });
    }
    return items;
  });
}

function moneyItems({ billing }: AttentionProps): Item[] {
  const items: Item[] = [];
  const runway = billing?.runway;
  const active = billing?.draft !== undefined;
  if (active && runway !== undefined && runway.days < SHORT_RUNWAY_DAYS && runway.end !== 'beyond') {
    const limit = runway.end === 'spending_limit';
    items.push({
      key: 'runway',
      text: (
        <>
          {limit ? 'The spending limit is reached' : 'The balance is used up'} in about {formatCount(runway.days)} {runway.days === 1 ? 'day' : 'days'} at the present rate of{' '}
          <Money micros={runway.per_day_micros} /> a day.
        </>
      ),
      action: (
        <Link to="/billing/escrow" search={{ action: limit ? 'limit' : 'deposit' }} className={buttonClass()}>
          {limit ? 'Raise the limit' : 'Deposit'}
        </Link>
      ),
    });
  }
  const cap = billing?.spend_cap;
  if (cap !== undefined && cap.percent >= 75) {
    items.push({
      key: 'cap',
      text: cap.is_stopped ? 'Keys are stopped: this month’s spend cap is reached.' : `${formatCount(cap.percent)} % of this month’s spend cap is used.`,
      action: (
        <Link to="/billing" hash="spend-cap" className={buttonClass()}>
          Change the cap
        </Link>
      ),
    });
  }
  return items;
}
