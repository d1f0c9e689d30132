import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { formatMoney } from '../../format';
import { api, ask } from '../../server/api';
import { walletUsdcQuery } from '../../server/queries';
import { Button } from '../../ui/Button';
import { Money } from '../../ui/Money';
import { Problem } from '../../ui/Problem';
import { AmountForm } from './AmountForm';

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
