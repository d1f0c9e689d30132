import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { formatMoney, parseMoney } from '../../format';
import { api, ask } from '../../server/api';
import { walletUsdcQuery } from '../../server/queries';
import { Button } from '../../ui/Button';
import { TextField } from '../../ui/Field';
import { Money } from '../../ui/Money';
import { Problem } from '../../ui/Problem';
import { Progress } from './Progress';
import type { TransactionAction } from './transaction';
import { useTransaction } from './transaction';

interface AmountFormProps {
  action: TransactionAction;
  label: string;
  button: string;
  hint?: React.ReactNode;
  /** Dollars to begin with. */
  initial: string;
  /** A sentence if the amount cannot be. */
  check: (micros: number) => string | undefined;
  onCredited?: () => void;
  /** What is said when it is over. */
  done: string;
}

/** An amount, and a transaction about it that the wallet signs; every step is shown. */
export function AmountForm({ action, label, button, hint, initial, check, onCredited, done }: AmountFormProps) {
  const [text, setText] = useState(initial);
  const [touched, setTouched] = useState(false);
  const flow = useTransaction(onCredited);
  const amount = parseMoney(text);
  const mistake = amount === undefined ? 'Write an amount in dollars, such as 25 or 12.50.' : check(amount);
  const over = flow.transaction?.state === 'credited' || flow.transaction?.state === 'failed';
  return (
    <form
      className="grid gap-4"
      onSubmit={(event) => {
        event.preventDefault();
        setTouched(true);
        if (amount !== undefined && mistake === undefined) flow.start(action, amount);
      }}
    >
      <div className="flex flex-wrap items-start gap-x-3 gap-y-2">
        <TextField
          className="min-w-40 flex-1"
          label={label}
          prefix="$"
          inputMode="decimal"
          autoComplete="off"
          value={text}
          onChange={setText}
          disabled={flow.waiting !== undefined}
          errors={touched && mistake !== undefined ? [mistake] : []}
          hint={hint}
        />
        <Button type="submit" kind="primary" busy={flow.waiting !== undefined} className="mt-6">
          {button}
        </Button>
      </div>
      <Problem error={flow.error} />
      <Progress flow={flow} />
      {flow.transaction?.state === 'credited' && (
        <p role="status" className="text-[13px] font-medium text-good">
          {done}
        </p>
      )}
      {over && (
        <div>
          <Button onClick={flow.reset}>Make another</Button>
        </div>
      )}
    </form>
  );
}

interface DepositFormProps {
  initial: string;
  onCredited?: () => void;
}

export function DepositForm({ initial, onCredited }: DepositFormProps) {
  const wallet = useQuery(walletUsdcQuery);
  const held = wallet.data?.balance_micros;
  return (
    <div className="grid gap-4">
      <AmountForm
        action="deposit"
        label="Amount in USDC"
        button="Deposit"
        initial={initial}
        done="Deposited. What was unpaid is paid from it at once."
        hint={held === undefined ? 'Looking up what your wallet holds …' : <>Your wallet holds <Money micros={held} /> USDC.</>}
        check={(micros) => {
          if (micros === 0) return 'Deposit more than nothing.';
          return held !== undefined && micros > held ? `Your wallet holds ${formatMoney(held)} only.` : undefined;
        }}
        {...(onCredited === undefined ? {} : { onCredited })}
      />
      <Problem error={wallet.error} onRetry={() => void wallet.refetch()} />
      {wallet.data?.is_simulated === true && <Faucet held={wallet.data.balance_micros} />}
    </div>
  );
}

/** On a simulated chain money is free, while there is little of it. */
function Faucet({ held }: { held: number }) {
  const client = useQueryClient();
  const fill = useMutation({
    mutationFn: () => ask(api.POST('/api/billing/escrow/faucet')),
    onSuccess: (after) => client.setQueryData(walletUsdcQuery.queryKey, after),
  });
  if (held >= 100_000_000) return null;
  return (
    <div className="grid gap-2 rounded border border-dashed border-line px-3 py-2.5 text-[13px]">
      <div className="flex flex-wrap items-center justify-between gap-2">
        <p className="text-muted">This is a simulated chain: its USDC is play money.</p>
        <Button busy={fill.isPending} onClick={() => fill.mutate()}>
          Get play money
        </Button>
      </div>
      <Problem error={fill.error} />
    </div>
  );
}
