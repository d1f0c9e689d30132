import { Check, LoaderCircle, X } from 'lucide-react';
import { Button } from '../../ui/Button';
import type { Flow } from './transaction';

type StepState = 'done' | 'now' | 'todo' | 'failed';

const STEPS = [
  { id: 'building', label: 'Prepared', now: 'Preparing the transaction' },
  { id: 'wallet', label: 'Signed by your wallet', now: 'Confirm it in your wallet' },
  { id: 'sending', label: 'Sent to the chain', now: 'Sending it to the chain' },
  { id: 'final', label: 'Final on the chain', now: 'Waiting for the chain' },
  { id: 'credited', label: 'In the books', now: 'Putting it into the books' },
] as const;

/** Where a transaction is, step by step, in words. */
export function Progress({ flow }: { flow: Flow }) {
  const { waiting, transaction, reset } = flow;
  if (waiting === undefined && transaction === undefined) return null;
  const at = positionOf(flow);
  const failed = transaction?.state === 'failed';
  return (
    <>
      <div role="status">
        <ol className="grid gap-2 text-[13px]">
          {STEPS.map(({ id, label, now }, step) => {
            const state: StepState = step < at ? 'done' : step > at ? 'todo' : failed ? 'failed' : 'now';
            return (
              <li key={id} aria-current={state === 'now' ? 'step' : undefined} className={`flex items-center gap-2.5 ${state === 'todo' ? 'text-muted' : ''}`}>
                <StepIcon state={state} />
                {state === 'now' ? `${now} …` : label}
              </li>
            );
          })}
        </ol>
        {failed && <p className="mt-3 text-[13px] text-bad">It did not happen: {transaction.failure ?? 'the chain refused it'}. Nothing was moved.</p>}
      </div>
      {waiting === 'wallet' && (
        <div>
          <Button onClick={reset}>Cancel</Button>
        </div>
      )}
    </>
  );
}

function StepIcon({ state }: { state: StepState }) {
  if (state === 'done') return <Check aria-hidden="true" className="size-4 text-good" strokeWidth={2} />;
  if (state === 'now') return <LoaderCircle aria-hidden="true" className="size-4 text-link motion-safe:animate-spin" strokeWidth={2} />;
  if (state === 'failed') return <X aria-hidden="true" className="size-4 text-bad" strokeWidth={2} />;
  return <span aria-hidden="true" className="mx-1 size-2 rounded-full border border-muted" />;
}

/** The step that is under way; beyond the last when it is over. */
function positionOf({ waiting, transaction }: Flow): number {
  switch (transaction?.state) {
    case 'credited':
      return STEPS.length;
    case 'final':
      return 4;
    case 'signed':
    case 'seen':
    case 'failed':
      return 3;
    default:
      return STEPS.findIndex(({ id }) => id === waiting);
  }
}
