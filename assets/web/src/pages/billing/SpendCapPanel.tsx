import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { formatCount, parseMoney } from '../../format';
import type { Schemas } from '../../server/api';
import { api, ask, tell } from '../../server/api';
import { fieldMessages } from '../../server/problem';
import { Badge } from '../../ui/Badge';
import { Banner } from '../../ui/Banner';
import { Button } from '../../ui/Button';
import { Confirm } from '../../ui/Confirm';
import { Dialog, DialogButtons } from '../../ui/Dialog';
import { Checkbox, TextField } from '../../ui/Field';
import { Money } from '../../ui/Money';
import { Panel } from '../../ui/Panel';
import { Problem } from '../../ui/Problem';
import { toast } from '../../ui/toasts';
import { capText, stopsAtOnce } from './spendCap';

type SpendCap = Schemas['SpendCap'];

export function SpendCapPanel({ cap }: { cap: SpendCap | undefined }) {
  const [changing, setChanging] = useState(false);
  return (
    <div id="spend-cap">
      <Panel title="Spend cap" aside={cap?.is_stopped === true ? <Badge tone="bad">Keys are stopped</Badge> : undefined}>
        <div className="px-4 py-4 text-[13px] sm:px-5">
          {cap === undefined ? (
            <p className="text-pretty text-muted">No cap. With one, you are told at 50, 75, 90 and 100 % of a month’s usage, and keys stop if you want it.</p>
          ) : (
            <Gauge cap={cap} />
          )}
        </div>
        <div className="border-t border-line px-4 py-3 sm:px-5">
          <Button onClick={() => setChanging(true)}>{cap === undefined ? 'Set a cap' : 'Change'}</Button>
        </div>
      </Panel>
      {changing && <CapDialog cap={cap} onClose={() => setChanging(false)} />}
    </div>
  );
}

function Gauge({ cap }: { cap: SpendCap }) {
  const fill = cap.percent >= 90 ? 'bg-bad' : cap.percent >= 75 ? 'bg-brand' : 'bg-link';
  return (
    <>
      <p className="flex justify-between gap-4">
        <span>
          <Money micros={cap.spent_micros} className="font-semibold" /> of <Money micros={cap.amount_micros} />
        </span>
        <span className="text-muted">{formatCount(cap.percent)} %</span>
      </p>
      <div aria-hidden="true" className="mt-2 h-2 overflow-hidden rounded-sm bg-line">
        <div className={`h-full ${fill}`} style={{ width: `${Math.min(100, cap.percent)}%` }} />
      </div>
      <p className="mt-2 text-muted">{cap.hard_stop ? 'Keys stop when it is reached, until the month ends.' : 'Keys go on when it is reached; you are told.'}</p>
    </>
  );
}

function CapDialog({ cap, onClose }: { cap: SpendCap | undefined; onClose: () => void }) {
  const client = useQueryClient();
  const [text, setText] = useState(capText(cap));
  const [hardStop, setHardStop] = useState(cap?.hard_stop ?? false);
  const [removing, setRemoving] = useState(false);
  const done = async (text_: string) => {
    await client.invalidateQueries({ queryKey: ['billing'] });
    toast(text_);
    onClose();
  };
  const set = useMutation({
    mutationFn: (amount: number) => ask(api.PUT('/api/billing/spend-cap', { body: { amount_micros: amount, hard_stop: hardStop } })),
    onSuccess: () => done('Spend cap set'),
  });
  const remove = useMutation({ mutationFn: () => tell(api.DELETE('/api/billing/spend-cap')), onSuccess: () => done('Spend cap removed') });
  const amount = parseMoney(text);
  const stops = stopsAtOnce(amount, hardStop, cap);
  if (removing) {
    return (
      <Confirm title="Remove the spend cap?" action="Remove the cap" busy={remove.isPending} error={remove.error} onConfirm={() => remove.mutate()} onClose={onClose}>
        Nothing tells you any more how far a month’s usage has come, and keys are not stopped by it.
      </Confirm>
    );
  }
  return (
    <Dialog title="Spend cap" onClose={onClose}>
      <form
        className="grid gap-4"
        onSubmit={(event) => {
          event.preventDefault();
          if (amount !== undefined) set.mutate(amount);
        }}
      >
        <TextField
          label="Usage a month, at most"
          prefix="$"
          inputMode="decimal"
          autoComplete="off"
          value={text}
          onChange={setText}
          errors={fieldMessages(set.error, 'amount_micros')}
          hint="Subscriptions do not count: they are known beforehand."
        />
        <Checkbox
          label="Stop the keys when it is reached"
          hint="Until the month ends, or you raise the cap. Without it you are told at 50, 75, 90 and 100 %."
          checked={hardStop}
          onChange={setHardStop}
        />
        {stops && cap !== undefined && (
          <Banner tone="warn" role="status" title="Keys stop at once">
            <Money micros={cap.spent_micros} /> of this month’s usage is spent already.
          </Banner>
        )}
        <Problem error={set.error} />
        <DialogButtons>
          {cap !== undefined && (
            <Button kind="quiet" onClick={() => setRemoving(true)}>
              Remove the cap
            </Button>
          )}
          <Button onClick={onClose}>Not now</Button>
          <Button type="submit" kind={stops ? 'danger' : 'primary'} busy={set.isPending} disabled={amount === undefined}>
            {stops ? 'Save and stop the keys' : 'Save'}
          </Button>
        </DialogButtons>
      </form>
    </Dialog>
  );
}
