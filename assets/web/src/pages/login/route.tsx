import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useNavigate, useSearch } from '@tanstack/react-router';
import type { Wallet, WalletAccount } from '@wallet-standard/base';
import { FlaskConical, LoaderCircle, ShieldCheck } from 'lucide-react';
import { useEffect, useRef, useState } from 'react';
import { shortAddress } from '../../format';
import { Brand } from '../../ui/Brand';
import { Button } from '../../ui/Button';
import { Problem } from '../../ui/Problem';
import { TermsLink } from '../terms/TermsLink';
import { ThemeSwitch } from '../../ui/ThemeSwitch';
import { siteQuery } from '../../server/queries';
import { DEMO_WALLET, registerDemoWallet } from '../../wallet/demo';
import { unlessGivenUp } from '../../wallet/cancel';
import { signIn } from '../../wallet/session';
import { WalletRefusal, connect, useWallets } from '../../wallet/standard';

export function LoginPage() {
  useEffect(() => {
    document.title = 'Sign in · suiftly';
  }, []);
  return (
    <div className="flex min-h-dvh flex-col bg-sunken">
      <header className="flex h-14 items-center justify-between px-4 sm:px-8">
        <Brand />
        <ThemeSwitch />
      </header>
      <main id="content" className="grid flex-1 place-items-start justify-center px-4 pb-20 pt-10 sm:place-items-center sm:pt-0">
        <div className="w-full max-w-[420px]">
          <h1 className="text-[28px] leading-9 font-semibold tracking-tight">Sign in to suiftly</h1>
          <p className="mt-1 text-pretty text-muted">Your Sui wallet is your account. Signing in moves no funds and costs nothing.</p>
          <SignIn />
          <p className="mt-5 flex items-start gap-2 text-xs text-pretty text-muted">
            <ShieldCheck aria-hidden="true" className="size-4 shrink-0" strokeWidth={1.5} />
            No password and no personal data. The wallet signs a text with this site’s address and the time; it is good once and for five minutes.
          </p>
          <p className="mt-3 pl-6 text-xs text-muted">
            <TermsLink>Terms of service</TermsLink>
          </p>
        </div>
      </main>
    </div>
  );
}

interface Choice {
  wallet: Wallet;
  accounts: readonly WalletAccount[];
}

function SignIn() {
  const { next } = useSearch({ from: '/login' });
  const client = useQueryClient();
  const navigate = useNavigate();
  const wallets = useWallets();
  const site = useQuery(siteQuery);
  const isSimulated = site.data?.is_simulated_chain === true;
  useEffect(() => {
    if (isSimulated) registerDemoWallet();
  }, [isSimulated]);
  const [choice, setChoice] = useState<Choice>();
  const asking = useRef<AbortController>(undefined);
  const begin = () => {
    asking.current = new AbortController();
    return asking.current.signal;
  };
  const sign = useMutation({
    mutationFn: ({ wallet, account }: { wallet: Wallet; account: WalletAccount }) => signIn(wallet, account, begin()),
    onSuccess: async () => {
      client.clear();
      await navigate({ href: next ?? '/', replace: true });
    },
  });
  const open = useMutation({
    mutationFn: (wallet: Wallet) => unlessGivenUp(() => connect(wallet, false), begin()),
    onSuccess: (accounts, wallet) => {
      const [account, another] = accounts;
      if (account === undefined) throw new WalletRefusal(`${wallet.name} shares no Sui account. Create one there, and try again.`);
      if (another === undefined) sign.mutate({ wallet, account });
      else setChoice({ wallet, accounts });
    },
  });
  const busy = open.isPending || sign.isPending;
  const opened = open.variables;
  const real = wallets.filter(({ name }) => name !== DEMO_WALLET);
  const demo = isSimulated ? wallets.find(({ name }) => name === DEMO_WALLET) : undefined;
  const start = (wallet: Wallet) => {
    sign.reset();
    setChoice(undefined);
    open.mutate(wallet);
  };
  const giveUp = () => {
    asking.current?.abort();
    open.reset();
    sign.reset();
    setChoice(undefined);
  };
  return (
    <div className="mt-6 overflow-hidden rounded-md border border-line bg-raised">
      {choice !== undefined && !busy ? (
        <Accounts choice={choice} onChoose={(account) => sign.mutate({ wallet: choice.wallet, account })} onBack={giveUp} />
      ) : (
        <ul className="divide-y divide-line">
          {real.map((wallet) => (
            <WalletRow key={wallet.name} wallet={wallet} busy={busy && opened === wallet} disabled={busy} onStart={start} />
          ))}
          {real.length === 0 && site.isPending && <li className="h-19" />}
          {real.length === 0 && !site.isPending && (
            <li className="px-4 py-4 text-[13px] text-pretty text-muted">
              <p className="font-medium text-ink">No Sui wallet in this browser</p>
              <p className="mt-0.5">Install one, such as Slush, Suiet or Phantom, and it appears here by itself.</p>
            </li>
          )}
          {demo !== undefined && <WalletRow wallet={demo} busy={busy && opened === demo} disabled={busy} onStart={start} demo />}
        </ul>
      )}
      {busy && (
        <div className="flex items-center justify-between gap-3 border-t border-line bg-info px-4 py-2 text-[13px]">
          <p role="status">{sign.isPending ? 'Confirm the signature in your wallet.' : 'Waiting for your wallet to connect.'}</p>
          <Button onClick={giveUp}>Cancel</Button>
        </div>
      )}
      {!busy && (open.error ?? sign.error) !== null && (
        <div className="border-t border-line p-3">
          <Problem error={open.error ?? sign.error} {...(opened === undefined ? {} : { onRetry: () => start(opened) })} />
        </div>
      )}
    </div>
  );
}

interface WalletRowProps {
  wallet: Wallet;
  busy: boolean;
  disabled: boolean;
  onStart: (wallet: Wallet) => void;
  demo?: boolean;
}

function WalletRow({ wallet, busy, disabled, onStart, demo = false }: WalletRowProps) {
  return (
    <li>
      <button type="button" disabled={disabled} onClick={() => onStart(wallet)} className="flex w-full items-center gap-3 px-4 py-3 text-left hover:bg-selected disabled:opacity-60">
        {demo ? (
          <span className="grid size-8 shrink-0 place-items-center rounded border border-dashed border-muted/60 text-muted">
            <FlaskConical aria-hidden="true" className="size-4" strokeWidth={1.5} />
          </span>
        ) : (
          <img src={wallet.icon} alt="" className="size-8 shrink-0 rounded" />
        )}
        <span className="min-w-0 flex-1">
          <span className="block text-[13px] font-semibold">{wallet.name}</span>
          <span className="block text-xs text-muted">
            {demo ? 'For trying out: a real key, kept unprotected in this browser. Play money only.' : 'Detected in this browser'}
          </span>
        </span>
        {busy && <LoaderCircle aria-hidden="true" className="size-4 text-muted motion-safe:animate-spin" strokeWidth={1.75} />}
      </button>
    </li>
  );
}

interface AccountsProps {
  choice: Choice;
  onChoose: (account: WalletAccount) => void;
  onBack: () => void;
}

function Accounts({ choice, onChoose, onBack }: AccountsProps) {
  return (
    <div>
      <div className="flex items-center justify-between gap-3 border-b border-line px-4 py-2 text-[13px]">
        <p className="font-semibold">Which account of {choice.wallet.name}?</p>
        <Button kind="quiet" onClick={onBack}>
          Other wallets
        </Button>
      </div>
      <ul className="divide-y divide-line">
        {choice.accounts.map((account) => (
          <li key={account.address}>
            <button type="button" onClick={() => onChoose(account)} className="flex w-full items-center justify-between gap-3 px-4 py-3 text-left text-[13px] hover:bg-selected">
              <span className="font-mono">{shortAddress(account.address)}</span>
              <span className="text-muted">{account.label}</span>
            </button>
          </li>
        ))}
      </ul>
    </div>
  );
}
