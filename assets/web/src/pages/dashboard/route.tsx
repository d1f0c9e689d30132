import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { depositSearch } from '../../server/deposit';
import { billingQuery, customerQuery, servicesQuery } from '../../server/queries';
import { buttonClass } from '../../ui/Button';
import { Page } from '../../ui/Page';
import { AttentionCard } from './AttentionCard';
import { MoneyPanel } from './MoneyPanel';
import { ServiceCards } from './ServiceCards';
import { TrafficPanel } from './TrafficPanel';

export function DashboardPage() {
  const customer = useQuery(customerQuery).data;
  const services = useQuery(servicesQuery);
  const billing = useQuery(billingQuery);
  return (
    <Page
      eyebrow="Account"
      title={customer === undefined || customer.name === '' ? 'Dashboard' : customer.name}
      about="Requests, cost and balance, as they happen."
      actions={
        <Link to="/billing/escrow" search={depositSearch(billing.data)} className={buttonClass()}>
          Deposit
        </Link>
      }
    >
      <AttentionCard customer={customer} services={services.data} billing={billing.data} />
      <TrafficPanel />
      <MoneyPanel query={billing} />
      <ServiceCards query={services} />
    </Page>
  );
}
