import { Link } from '@tanstack/react-router';
import { Receipt } from 'lucide-react';
import { formatMonth } from '../../format';
import type { Schemas } from '../../server/api';
import { serviceLabel, tierLabel } from '../../server/names';
import { Empty } from '../../ui/Empty';
import { Money } from '../../ui/Money';
import { StateBadge } from '../../ui/StateBadge';
import type { Column } from '../../ui/Table';
import { Table } from '../../ui/Table';
import { Time } from '../../ui/Time';

type Invoice = Schemas['Invoice'];

export function InvoiceTable({ rows }: { rows: readonly Invoice[] }) {
  return (
    <Table
      caption="Invoices"
      columns={COLUMNS}
      rows={rows}
      rowKey={({ invoice }) => invoice}
      empty={
        <Empty Icon={Receipt} title="No invoices">
          The first one is made when you subscribe to a service.
        </Empty>
      }
    />
  );
}

export function purposeText({ purpose, service, tier, month }: Pick<Invoice, 'purpose' | 'service' | 'tier' | 'month'>): string {
  const label = service === undefined ? '' : serviceLabel(service);
  switch (purpose) {
    case 'subscribe':
      return `Subscription to ${label}`;
    case 'resume':
      return `${label} resumed`;
    case 'upgrade':
      return `Upgrade of ${label}${tier === undefined ? '' : ` to ${tierLabel(tier)}`}`;
    default:
      return `${formatMonth(month)} usage, and the month after`;
  }
}

const COLUMNS: Column<Invoice>[] = [
  {
    name: 'Invoice',
    by: ({ invoice }) => invoice,
    cell: ({ invoice }) => (
      <Link to="/billing/invoices/$invoice" params={{ invoice }} className="font-medium whitespace-nowrap text-link hover:underline">
        {invoice === 'draft' ? 'Draft' : invoice}
      </Link>
    ),
  },
  { name: 'For', wide: true, cell: (row) => purposeText(row) },
  {
    name: 'Issued',
    wide: true,
    by: ({ issued_at: at }) => at,
    cell: ({ issued_at: at }) => (at === undefined ? <span className="text-muted">Not yet</span> : <Time at={at} show="day" />),
  },
  { name: 'State', by: ({ state }) => state, cell: ({ state }) => <StateBadge state={state} /> },
  { name: 'Charges', right: true, wide: true, by: (row) => row.charges_micros, cell: (row) => <Money micros={row.charges_micros} /> },
  { name: 'After credit', right: true, by: (row) => row.amount_micros, cell: (row) => <Money micros={row.amount_micros} /> },
];
