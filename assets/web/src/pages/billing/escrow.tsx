import { useQuery } from '@tanstack/react-query';
import { useNavigate, useSearch } from '@tanstack/react-router';
import { ArrowDownToLine, ArrowUpFromLine, Gauge, Wallet } from 'lucide-react';
import { formatMoney, formatShare } from '../../format';
import type { Schemas } from '../../server/api';
import type { EscrowSearch } from '../../search';
import { billingQuery, customerQuery, escrowQuery, transactionsQuery, walletUsdcQuery } from '../../server/queries';
import { Button } from '../../ui/Button';
import { Copy } from '../../ui/Copy';
import { Dialog } from '../../ui/Dialog';
import { Empty } from '../../ui/Empty';
import { Fact, Facts } from '../../ui/Facts';
import { Figure, Figures } from '../../ui/Figures';
import { Loaded } from '../../ui/Loaded';
import { Money } from '../../ui/Money';
import { Page } from '../../ui/Page';
import { Panel } from '../../ui/Panel';
import { Problem } from '../../ui/Problem';
import { Boxes } from '../../ui/Skeleton';
import { StateBadge } from '../../ui/StateBadge';
import type { Column } from '../../ui/Table';
import { Table } from '../../ui/Table';
import { Time } from '../../ui/Time';
import { AmountForm } from './AmountForm';
import { DepositForm } from './DepositForm';
import { LimitForm } from './LimitForm';
import { Progress } from './Progress';
import type { Transaction } from './transaction';
import { useGiveUp, useTransaction } from './transaction';

export function EscrowPage() {
  const { action, amount } = useSearch({ from: '/account/billing/escrow' });
  const navigate = useNavigate({ from: '/billing/escrow' });
  const go = (search: EscrowSearch) => void navigate({ search, replace: true });
  const escrow = useQuery(escrowQuery);
  return (
    <Page
      eyebrow="Billing & payments"
      title="Escrow"
      about="USDC that you hold on Sui and that invoices are paid from. You can withdraw all of it at any time."
      actions={
        <>
          <Button kind="primary" icon={<ArrowDownToLine aria-hidden="true" className="size-3.5" />} onClick={() => go({ action: 'deposit' })}>
            Deposit
          </Button>
          <Button icon={<ArrowUpFromLine aria-hidden="true" className="size-3.5" />} onClick={() => go({ action: 'withdraw' })}>
            Withdraw
          </Button>
          <Button icon={<Gauge aria-hidden="true" className="size-3.5" />} onClick={() => go({ action: 'limit' })}>
            Spending limit
          </Button>
        </>
      }
    >
      <Loaded query={escrow} skeleton={<Boxes count={1} height={150} className="" />}>
        {(value) => <Account escrow={value} />}
      </Loaded>
      <Transactions />
      {action !== undefined && escrow.data !== undefined && <ActionDialog action={action} amount={amount} escrow={escrow.data} onClose={() => go({})} />}
    </Page>
  );
}

function Account({ escrow }: { escrow: Schemas['Escrow'] }) {
  const wallet = useQuery(walletUsdcQuery).data;
  const customer = useQuery(customerQuery).data;
  const { spending_limit_micros: limit, period_charged_micros: charged } = escrow;
  return (
    <Panel title="Account on the chain" aside={escrow.is_simulated ? <span className="text-xs text-muted">Simulated chain: play money</span> : undefined}>
      <Figures columns={3}>
        <Figure label="Balance" note="Withdrawable at any time">
          <Money micros={escrow.balance_micros} />
        </Figure>
        <Figure
          label="Charged in these 28 days"
          note={
            escrow.period_ends_at === undefined ? (
              'Begins with the first deposit'
            ) : (
              <>
                {limit === 0 ? 'No limit' : `${formatShare(charged, limit)} of ${formatMoney(limit)}`}, until <Time at={escrow.period_ends_at} show="day" />
              </>
            )
          }
        >
          <Money micros={charged} />
        </Figure>
        <Figure label="In your wallet" note="Not yet deposited">
          {wallet === undefined ? '–' : <Money micros={wallet.balance_micros} />}
        </Figure>
      </Figures>
      <Facts>
        <Address label="Account object" value={escrow.object_id} missing="Made by your first deposit" />
        <Address label="Wallet" value={customer?.wallet_address} missing="" />
      </Facts>
    </Panel>
  );
}

function Address({ label, value, missing }: { label: string; value: string | undefined; missing: string }) {
  return (
    <Fact label={label}>
      {value === undefined ? (
        <span className="text-muted">{missing}</span>
      ) : (
        <>
          <span className="truncate font-mono text-xs">{value}</span>
          <Copy text={value} what={label.toLowerCase()} />
        </>
      )}
    </Fact>
  );
}

interface ActionDialogProps {
  action: 'deposit' | 'withdraw' | 'limit';
  amount: string | undefined;
  escrow: Schemas['Escrow'];
  onClose: () => void;
}

function ActionDialog({ action, amount, escrow, onClose }: ActionDialogProps) {
  const underWay = useQuery(billingQuery).data?.escrow?.under_way_micros ?? 0;
  switch (action) {
    case 'deposit':
      return (
        <Dialog title="Deposit" onClose={onClose}>
          <p className="mb-4 text-[13px] text-pretty text-muted">Moves USDC from your wallet to your escrow account. What is unpaid is paid from it at once.</p>
          <DepositForm initial={amount ?? '50'} />
        </Dialog>
      );
    case 'withdraw':
      return (
        <Dialog title="Withdraw" onClose={onClose}>
          <p className="mb-4 text-[13px] text-pretty text-muted">Moves USDC back to your wallet. Services stop when an invoice cannot be paid.</p>
          <AmountForm
            action="withdraw"
            label="Amount in USDC"
            button="Withdraw"
            initial={amount ?? ''}
            done="Withdrawn to your wallet."
            hint={
              <>
                The account holds <Money micros={escrow.balance_micros} />
                {underWay > 0 && <>, of which <Money micros={underWay} /> is being charged</>}.
              </>
            }
            check={(micros) => {
              if (micros === 0) return 'Withdraw more than nothing.';
              return micros > escrow.balance_micros ? `The account holds ${formatMoney(escrow.balance_micros)} only.` : undefined;
            }}
          />
        </Dialog>
      );
    case 'limit':
      return (
        <Dialog title="Spending limit" onClose={onClose}>
          <p className="mb-4 text-[13px] text-pretty text-muted">
            The most that may be charged in a period of 28 days. The contract enforces it; 0 is no limit. Now: {escrow.spending_limit_micros === 0 ? 'none' : formatMoney(escrow.spending_limit_micros)}.
          </p>
          <LimitForm initial={amount ?? ''} />
        </Dialog>
      );
  }
}

const ACTION_LABEL: Record<string, string> = { deposit: 'Deposit', withdraw: 'Withdrawal', set_spending_limit: 'Spending limit' };

function Transactions() {
  const transactions = useQuery(transactionsQuery);
  const flow = useTransaction();
  const giveUp = useGiveUp();
  const busy = flow.waiting !== undefined || giveUp.isPending;
  return (
    <Panel title="Transactions" aside={<span className="text-xs text-muted">Signed by your wallet, newest first</span>}>
      {(flow.error !== null || giveUp.error !== null || flow.waiting !== undefined) && (
        <div className="grid gap-3 border-b border-line p-4 sm:px-5">
          <Problem error={flow.error ?? giveUp.error} />
          <Progress flow={flow} />
        </div>
      )}
      <Loaded query={transactions}>
        {(rows) => (
          <Table
            caption="Transactions"
            columns={columnsOf({ busy, sign: flow.resume, giveUp: giveUp.mutate })}
            rows={rows}
            rowKey={({ digest }) => digest}
            empty={
              <Empty Icon={Wallet} title="No transactions yet">
                Your first deposit makes the escrow account.
              </Empty>
            }
          />
        )}
      </Loaded>
    </Panel>
  );
}

/** What can be done with one that is not signed. */
interface Unsigned {
  busy: boolean;
  sign: (row: Transaction) => void;
  giveUp: (digest: string) => void;
}

function columnsOf(unsigned: Unsigned): Column<Transaction>[] {
  return [
    { name: 'When', wide: true, cell: ({ built_at: at }) => <Time at={at} />, by: ({ built_at: at }) => at },
    {
      name: 'What',
      cell: ({ action, built_at: at }) => (
        <>
          {ACTION_LABEL[action] ?? action}
          <span className="block text-xs text-muted md:hidden">
            <Time at={at} />
          </span>
        </>
      ),
      by: ({ action }) => action,
    },
    { name: 'Amount', right: true, cell: ({ amount_micros: micros }) => <Money micros={micros} />, by: ({ amount_micros: micros }) => micros },
    { name: 'State', cell: (row) => <TransactionState row={row} unsigned={unsigned} />, by: ({ state }) => state },
    {
      name: 'Digest',
      wide: true,
      cell: ({ digest }) => (
        <span className="flex items-center gap-1">
          <span className="font-mono text-xs">{digest.slice(0, 12)}…</span>
          <Copy text={digest} what="digest" />
        </span>
      ),
    },
  ];
}

function TransactionState({ row, unsigned: { busy, sign, giveUp } }: { row: Transaction; unsigned: Unsigned }) {
  return (
    <span className="flex flex-wrap items-center gap-2" title={row.failure}>
      <StateBadge state={row.state} />
      {row.state === 'built' && row.content !== undefined && (
        <>
          <Button kind="quiet" disabled={busy} onClick={() => sign(row)}>
            Sign
          </Button>
          <Button kind="quiet" disabled={busy} onClick={() => giveUp(row.digest)}>
            Give up
          </Button>
        </>
      )}
    </span>
  );
}
