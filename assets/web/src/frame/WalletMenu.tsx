import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { Link, useNavigate } from '@tanstack/react-router';
import { ArrowDownToLine, ArrowUpFromLine, Gauge, LogOut, Settings, Wallet } from 'lucide-react';
import { shortAddress } from '../format';
import type { EscrowSearch } from '../search';
import { depositSearch, limitSearch } from '../server/remedy';
import { billingQuery, customerQuery } from '../server/queries';
import { Copy } from '../ui/Copy';
import { MENU_ITEM, Menu } from '../ui/Menu';
import { Money } from '../ui/Money';
import { Problem } from '../ui/Problem';
import { storedWallet, signOut } from '../wallet/session';

export function WalletMenu() {
  const customer = useQuery(customerQuery).data;
  const billing = useQuery(billingQuery).data;
  const balance = billing?.escrow?.balance_micros ?? customer?.balance_micros ?? 0;
  if (customer === undefined) return null;
  return (
    <Menu
      buttonClass="flex h-8 items-center gap-2 rounded border border-line px-2.5 text-[13px] hover:bg-sunken"
      width="w-80"
      button={
        <>
          <Wallet aria-hidden="true" className="size-4 text-muted" strokeWidth={1.5} />
          <span className="sr-only">Wallet, balance</span>
          <span data-testid="wallet-balance" className="font-medium">
            <Money micros={balance} />
          </span>
          <span className="font-mono text-xs text-muted max-md:hidden">{shortAddress(customer.wallet_address)}</span>
        </>
      }
    >
      {(close) => (
        <>
          <div className="px-3 pb-3 pt-2">
            <p className="text-xs text-muted">{billing?.is_simulated_chain === true ? 'Escrow balance, simulated chain' : 'Escrow balance'}</p>
            <p className="text-xl font-semibold">
              <Money micros={balance} /> <span className="text-xs font-normal text-muted">USDC</span>
            </p>
            <div className="mt-1 flex items-center gap-1 text-xs text-muted">
              <span className="font-mono">{shortAddress(customer.wallet_address)}</span>
              <Copy text={customer.wallet_address} what="address" />
              <span className="ml-auto">{storedWallet()}</span>
            </div>
          </div>
          <ul className="border-t border-line py-1">
            <Go search={depositSearch(billing?.shortfall)} label="Deposit" Icon={ArrowDownToLine} onDone={close} />
            <Go search={{ action: 'withdraw' }} label="Withdraw" Icon={ArrowUpFromLine} onDone={close} />
            <Go search={limitSearch(billing?.shortfall)} label="Spending limit" Icon={Gauge} onDone={close} />
            <li>
              <Link to="/billing/escrow" onClick={close} className={MENU_ITEM}>
                <Wallet aria-hidden="true" className="size-4 text-muted" strokeWidth={1.5} />
                Escrow details
              </Link>
            </li>
            <li>
              <Link to="/settings" onClick={close} className={MENU_ITEM}>
                <Settings aria-hidden="true" className="size-4 text-muted" strokeWidth={1.5} />
                Settings
              </Link>
            </li>
          </ul>
          <div className="border-t border-line py-1">
            <SignOut />
          </div>
        </>
      )}
    </Menu>
  );
}

function Go({ search, label, Icon, onDone }: { search: EscrowSearch; label: string; Icon: typeof Wallet; onDone: () => void }) {
  return (
    <li>
      <Link to="/billing/escrow" search={search} onClick={onDone} className={MENU_ITEM}>
        <Icon aria-hidden="true" className="size-4 text-muted" strokeWidth={1.5} />
        {label}
      </Link>
    </li>
  );
}

function SignOut() {
  const client = useQueryClient();
  const navigate = useNavigate();
  const out = useMutation({ mutationFn: () => signOut(client), onSuccess: () => navigate({ to: '/login' }) });
  return (
    <>
      <button type="button" disabled={out.isPending} onClick={() => out.mutate()} className={MENU_ITEM}>
        <LogOut aria-hidden="true" className="size-4 text-muted" strokeWidth={1.5} />
        Disconnect and sign out
      </button>
      {out.error !== null && (
        <div className="grid gap-2 p-3">
          <p className="text-[13px] font-medium text-bad">You may still be signed in.</p>
          <Problem error={out.error} onRetry={() => out.mutate()} />
        </div>
      )}
    </>
  );
}
