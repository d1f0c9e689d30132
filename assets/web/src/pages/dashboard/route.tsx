import { useQuery } from '@tanstack/react-query';
import { billingQuery, customerQuery, servicesQuery } from '../../server/queries';
import { Page } from '../../ui/Page';
import { RemedyLink } from '../../ui/Remedy';
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
        <RemedyLink shortfall={billing.data?.shortfall} kind="default" />
      }
    >
      <AttentionCard customer={customer} services={services.data} billing={billing.data} />
      <TrafficPanel />
      <MoneyPanel query={billing} />
      <ServiceCards query={services} />
    </Page>
  );
}
