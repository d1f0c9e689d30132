import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import type { ReactNode } from 'react';
import { billingQuery, customerQuery } from '../server/queries';
import { Banner } from '../ui/Banner';
import { buttonClass } from '../ui/Button';
import { Money } from '../ui/Money';
import { RemedyLink, RemedyText } from '../ui/Remedy';
import { Time } from '../ui/Time';

/** What is wrong with the whole account, above every page. */
export function AccountBanners() {
  const banners = [useStatusBanner(), useStandingBanner()].filter((banner) => banner !== null);
  if (banners.length === 0) return null;
  return <div className="no-print mx-auto grid max-w-[1200px] gap-2 px-4 pt-4 lg:px-8">{banners}</div>;
}

function useStatusBanner(): ReactNode {
  const status = useQuery(customerQuery).data?.status;
  if (status === 'suspended') {
    return (
      <Banner key="status" tone="bad" title="This account is suspended" action={<Link to="/support" className={buttonClass()}>Get support</Link>}>
        Keys answer 503 and nothing can be changed until the operator lifts it. You can read everything.
      </Banner>
    );
  }
  if (status === 'closed') {
    return (
      <Banner key="status" tone="bad" title="This account is closed">
        It can be read; nothing can be changed.
      </Banner>
    );
  }
  return null;
}

function useStandingBanner(): ReactNode {
  const billing = useQuery(billingQuery).data;
  if (billing === undefined || billing.standing === 'good') return null;
  const remedy =
    billing.shortfall === undefined ? (
      <Link to="/billing/invoices" className={buttonClass('primary')}>
        Unpaid invoices
      </Link>
    ) : (
      <RemedyLink shortfall={billing.shortfall} />
    );
  if (billing.standing === 'grace') {
    return (
      <Banner key="standing" tone="warn" title={<>Payment overdue: <Money micros={billing.owed_micros} /></>} action={remedy}>
        <RemedyText billing={billing} />{' '}
        {billing.suspends_at !== undefined && (
          <>
            If it stays unpaid, services stop on <Time at={billing.suspends_at} />.
          </>
        )}
      </Banner>
    );
  }
  if (billing.standing === 'suspended') {
    return (
      <Banner key="standing" tone="bad" title={<>Services are stopped: <Money micros={billing.owed_micros} /> is unpaid</>} action={remedy}>
        Keys answer 503. <RemedyText billing={billing} /> Paying starts again what was on.
      </Banner>
    );
  }
  return (
    <Banner key="standing" tone="warn" title="Billing is on hold" action={<Link to="/support" className={buttonClass()}>Get support</Link>}>
      Something in the books has to be looked into. Nothing is charged until then.
    </Banner>
  );
}
