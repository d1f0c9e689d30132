import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { Link, useParams } from '@tanstack/react-router';
import { Download } from 'lucide-react';
import { useState } from 'react';
import { formatMonth } from '../../format';
import type { Schemas } from '../../server/api';
import { api, ask } from '../../server/api';
import { billingQuery, customerQuery } from '../../server/queries';
import { Banner } from '../../ui/Banner';
import { Button, buttonClass } from '../../ui/Button';
import { Copy } from '../../ui/Copy';
import { Loaded } from '../../ui/Loaded';
import { Money } from '../../ui/Money';
import { Page } from '../../ui/Page';
import { Panel } from '../../ui/Panel';
import { PrintButton } from '../../ui/PrintButton';
import { Problem } from '../../ui/Problem';
import { RemedyLink, RemedyText } from '../../ui/Remedy';
import { Boxes } from '../../ui/Skeleton';
import { StateBadge } from '../../ui/StateBadge';
import { stateLabel } from '../../ui/states';
import type { Column } from '../../ui/Table';
import { Table } from '../../ui/Table';
import { Time } from '../../ui/Time';
import { Quantity, lineText } from './InvoiceLines';
import { purposeText } from './InvoiceTable';
import { LineHours } from './LineHours';
import { invoiceQuery } from './queries';
import { totalLabel } from './total';

type Detail = Schemas['InvoiceDetail'];
type Line = Schemas['InvoiceLine'];

export function InvoicePage() {
  const { invoice } = useParams({ from: '/account/billing/invoices/$invoice' });
  const query = useQuery(invoiceQuery(invoice));
  const draft = invoice === 'draft';
  return (
    <Page
      eyebrow={
        <Link to="/billing/invoices" className="text-link hover:underline">
          Invoices
        </Link>
      }
      title={draft ? 'Draft invoice' : invoice}
      about={query.data === undefined ? ' ' : purposeText(query.data)}
      actions={query.data === undefined ? undefined : <Actions detail={query.data} />}
    >
      <Loaded query={query} skeleton={<Boxes count={2} height={220} className="grid gap-6" />}>
        {(detail) => <InvoiceBody detail={detail} />}
      </Loaded>
    </Page>
  );
}

function Actions({ detail }: { detail: Detail }) {
  const file = (name: string) => `/api/billing/invoices/${encodeURIComponent(detail.invoice)}/${name}`;
  const icon = <Download aria-hidden="true" className="size-3.5" strokeWidth={1.75} />;
  return (
    <div className="no-print flex flex-wrap gap-2">
      {detail.state !== 'draft' && (
        <a href={file('pdf')} download className={buttonClass()}>
          {icon}
          PDF
        </a>
      )}
      <a href={file('usage.csv')} download className={buttonClass()}>
        {icon}
        Usage as CSV
      </a>
      <PrintButton disabled={false} />
    </div>
  );
}

function InvoiceBody({ detail }: { detail: Detail }) {
  return (
    <>
      <OnPaper detail={detail} />
      <StateNote detail={detail} />
      <Panel title="Lines" aside={<StateBadge state={detail.state} />}>
        <LinesTable detail={detail} />
        <div className="border-t border-line px-4 py-4 text-[13px] sm:px-5">
          <dl className="ml-auto grid max-w-sm gap-1.5">
            <Sum label="Charges" micros={detail.charges_micros} />
            {detail.credits_micros > 0 && <Sum label="Credit used" micros={-detail.credits_micros} />}
            <div className="flex justify-between gap-6 border-t border-line pt-2 text-base font-semibold">
              <dt>{totalLabel(detail.state)}</dt>
              <dd className={detail.state === 'voided' ? 'line-through' : ''}>
                <Money micros={detail.amount_micros} />
              </dd>
            </div>
          </dl>
          {detail.remainder_micros > 0 && (
            <p className="mt-1.5 text-right text-xs text-muted">
              <Money micros={detail.remainder_micros} /> rounded off, and not charged
            </p>
          )}
          {detail.credit_on_payment_micros > 0 && (
            <p className="mt-1.5 text-right text-xs text-muted">
              <Money micros={detail.credit_on_payment_micros} /> comes back as credit for the days before
            </p>
          )}
        </div>
      </Panel>
      {detail.attempts.length > 0 && <Attempts attempts={detail.attempts} />}
      {detail.credit_notes.length > 0 && <CreditNotes notes={detail.credit_notes} />}
      <p className="text-xs text-muted">
        {formatMonth(detail.month)}, UTC.{' '}
        {detail.completeness !== undefined && detail.completeness !== null && <>Logs: {detail.completeness.text}. </>}
        {detail.is_simulated_chain && 'Simulated chain: this is play money.'}
      </p>
    </>
  );
}

/** What an invoice needs on paper besides whose page it is: that is on every page. */
function OnPaper({ detail }: { detail: Detail }) {
  const customer = useQuery(customerQuery).data;
  return (
    <dl className="hidden grid-cols-[10rem_1fr] gap-x-4 gap-y-1 text-[13px] print:grid">
      <dt>Issued</dt>
      <dd>{detail.issued_at === undefined || detail.issued_at === null ? 'Not yet: a draft' : <Time at={detail.issued_at} show="day" />}</dd>
      <dt>State</dt>
      <dd>{stateLabel(detail.state)}</dd>
      {customer !== undefined && (
        <>
          <dt>Wallet</dt>
          <dd className="font-mono text-xs break-all">{customer.wallet_address}</dd>
        </>
      )}
    </dl>
  );
}

function StateNote({ detail }: { detail: Detail }) {
  const client = useQueryClient();
  // Of all that is unpaid: invoices are paid whole, the oldest first.
  const billing = useQuery(billingQuery).data;
  const pay = useMutation({
    mutationFn: () => ask(api.POST('/api/billing/invoices/{invoice}/pay', { params: { path: { invoice: detail.invoice } } })),
    onSuccess: (after) => {
      client.setQueryData(invoiceQuery(detail.invoice).queryKey, after);
      void client.invalidateQueries({ queryKey: ['billing'] });
    },
  });
  if (detail.state !== 'pending' && detail.state !== 'failed') return null;
  return (
    <div className="no-print grid gap-3">
      <Banner
        tone={detail.state === 'failed' ? 'bad' : 'warn'}
        title={detail.state === 'failed' ? 'This invoice could not be paid' : 'Payment pending'}
        action={
          <>
            <Button busy={pay.isPending} onClick={() => pay.mutate()}>
              Pay now
            </Button>
            {billing?.shortfall !== undefined && <RemedyLink shortfall={billing.shortfall} />}
          </>
        }
      >
        <RemedyText billing={billing} />
        {detail.retry_at !== undefined && detail.retry_at !== null && (
          <>
            {' '}
            It is tried again at <Time at={detail.retry_at} show="second" />, and at once when something changes.
          </>
        )}
      </Banner>
      <Problem error={pay.error} />
    </div>
  );
}

function Sum({ label, micros }: { label: string; micros: number }) {
  return (
    <div className="flex justify-between gap-6">
      <dt className="text-muted">{label}</dt>
      <dd>
        <Money micros={micros} />
      </dd>
    </div>
  );
}

function LinesTable({ detail }: { detail: Detail }) {
  const [opened, setOpened] = useState<number>();
  return (
    <>
      <Table caption="Lines of the invoice" columns={lineColumns((line) => setOpened(line.position))} rows={detail.lines} rowKey={({ position }) => String(position)} empty={<p className="px-5 py-8 text-center text-[13px] text-muted">No lines yet: nothing was used this month.</p>} />
      {opened !== undefined && <LineHours invoice={detail.invoice} position={opened} onClose={() => setOpened(undefined)} />}
    </>
  );
}

function lineColumns(open: (line: Line) => void): Column<Line>[] {
  return [
    {
      name: 'What',
      cell: (line) => (
        <div>
          <p>{lineText(line)}</p>
          <Quantity line={line} />
        </div>
      ),
    },
    {
      name: 'Counted from',
      cell: (line) =>
        line.from === undefined ? (
          <span className="text-muted">–</span>
        ) : (
          <Button kind="quiet" className="no-print -ml-3" onClick={() => open(line)}>
            Hours
          </Button>
        ),
    },
    { name: 'Amount', right: true, cell: (line) => <Money micros={line.amount_micros} /> },
  ];
}

function Attempts({ attempts }: { attempts: readonly Schemas['PaymentAttempt'][] }) {
  return (
    <Panel title="Payments">
      <Table caption="Payments" columns={ATTEMPT_COLUMNS} rows={attempts} rowKey={({ direction, attempt }) => `${direction} ${attempt}`} />
    </Panel>
  );
}

const ATTEMPT_COLUMNS: Column<Schemas['PaymentAttempt']>[] = [
  { name: 'When', cell: ({ asked_at: at }) => <Time at={at} show="second" /> },
  { name: 'How', cell: ({ method, direction }) => `${method === 'escrow' ? 'Escrow' : method}${direction === 'refund' ? ', paid back' : ''}` },
  { name: 'State', cell: ({ state, reason }) => <span title={reason ?? undefined}><StateBadge state={state} /></span> },
  {
    name: 'Transaction',
    wide: true,
    cell: ({ reference }) =>
      reference === undefined || reference === null ? (
        <span className="text-muted">–</span>
      ) : (
        <span className="flex items-center gap-1">
          <span className="font-mono text-xs">{reference.slice(0, 12)}…</span>
          <Copy text={reference} what="transaction" />
        </span>
      ),
  },
  { name: 'Amount', right: true, cell: ({ amount_micros: micros }) => <Money micros={micros} /> },
];

function CreditNotes({ notes }: { notes: readonly Schemas['CreditNote'][] }) {
  return (
    <Panel title="Credit notes">
      <ul className="divide-y divide-line text-[13px]">
        {notes.map((note) => (
          <li key={note.credit_note_id} className="flex justify-between gap-4 px-4 py-3 sm:px-5">
            <span>
              {note.reason}
              <span className="block text-xs text-muted">
                <Time at={note.issued_at} show="day" />
              </span>
            </span>
            <Money micros={note.amount_micros} />
          </li>
        ))}
      </ul>
    </Panel>
  );
}
