import { useState } from 'react';
import { parseMoney } from '../../format';
import { Button } from '../../ui/Button';
import { TextField } from '../../ui/Field';
import { Problem } from '../../ui/Problem';
import { Progress } from './Progress';
import type { TransactionAction } from './transaction';
import { useTransaction } from './transaction';

interface AmountFormProps {
  action: TransactionAction;
  label: string;
  button: string;
  hint?: React.ReactNode;
  /** Dollars, until something else is typed. */
  initial: string;
  /** A sentence if the amount cannot be. */
  check: (micros: number) => string | undefined;
  onCredited?: () => void;
  /** What is said when it is over. */
  done: string;
}

/** An amount, and a transaction about it that the wallet signs; every step is shown. */
export function AmountForm({ action, label, button, hint, initial, check, onCredited, done }: AmountFormProps) {
  const [typed, setTyped] = useState<string>();
  const [touched, setTouched] = useState(false);
  const flow = useTransaction(onCredited);
  const text = typed ?? initial;
  const amount = parseMoney(text);
  const mistake = amount === undefined ? 'Write an amount in dollars, such as 25 or 12.50.' : check(amount);
  const state = flow.transaction?.state;
  const over = state === 'credited' || state === 'failed';
  return (
    <form
      className="grid gap-4"
      onSubmit={(event) => {
        event.preventDefault();
        if (over) return;
        setTouched(true);
        if (amount === undefined || mistake !== undefined) return;
        // What is under way is shown, also when another amount would be right meanwhile.
        setTyped(text);
        flow.start(action, amount);
      }}
    >
      {!over && (
        <div className="flex flex-wrap items-start gap-x-3 gap-y-2">
          <TextField
            className="min-w-40 flex-1"
            label={label}
            prefix="$"
            inputMode="decimal"
            autoComplete="off"
            value={text}
            onChange={setTyped}
            disabled={flow.waiting !== undefined}
            errors={touched && mistake !== undefined ? [mistake] : []}
            hint={hint}
          />
          <Button type="submit" kind="primary" busy={flow.waiting !== undefined} className="mt-6">
            {button}
          </Button>
        </div>
      )}
      <Problem error={flow.error} />
      <Progress flow={flow} />
      {state === 'credited' && (
        <p role="status" className="text-[13px] font-medium text-good">
          {done}
        </p>
      )}
      {over && (
        <div>
          <Button
            onClick={() => {
              flow.reset();
              setTouched(false);
              if (state === 'credited') setTyped(undefined);
            }}
          >
            {state === 'credited' ? 'Make another' : 'Try again'}
          </Button>
        </div>
      )}
    </form>
  );
}
