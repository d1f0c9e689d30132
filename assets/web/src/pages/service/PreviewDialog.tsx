import { useQuery } from '@tanstack/react-query';
import type { Schemas } from '../../server/api';
import { api, ask } from '../../server/api';
import type { ServiceName } from '../../server/names';
import { serviceQuery } from '../../server/queries';
import { SERVICE_LABEL, tierLabel } from '../../server/names';
import { PayInPlace } from '../billing/PayInPlace';
import { Banner } from '../../ui/Banner';
import { Button } from '../../ui/Button';
import { Dialog, DialogButtons } from '../../ui/Dialog';
import { Loaded } from '../../ui/Loaded';
import { Money } from '../../ui/Money';
import { Problem } from '../../ui/Problem';
import { Time } from '../../ui/Time';
import { InvoiceLines } from '../billing/InvoiceLines';
import type { ServiceAction } from './mutations';
import { useServiceAction } from './mutations';

type Asked = Schemas['PreviewAsked'];
type Preview = Schemas['Preview'];

interface PreviewDialogProps {
  name: ServiceName;
  asked: Asked;
  onClose: () => void;
  onDone?: () => void;
}

/** The exact charge and what comes after, before anything is done; with the means in place if something is missing for it. */
export function PreviewDialog({ name, asked, onClose, onDone }: PreviewDialogProps) {
  const action = useServiceAction(name, onDone ?? onClose);
  const preview = useQuery({
    queryKey: ['billing', 'preview', name, asked],
    queryFn: ({ signal }) => ask(api.POST('/api/services/{service}/preview', { params: { path: { service: name } }, body: asked, signal })),
    staleTime: 0,
    // What it came to when it was opened before may not be what is charged now.
    gcTime: 0,
    // Once it is done, it cannot be done again.
    enabled: !action.isPending && !action.isSuccess,
  });
  const awaitsPayment = useQuery(serviceQuery(name)).data?.awaits_payment === true;
  const { title, button } = textsOf(name, asked);
  return (
    <Dialog title={title} onClose={onClose}>
      <Loaded query={preview}>
        {(value) => (
          <div className="grid gap-5">
            <Now preview={value} asked={asked} awaitsPayment={awaitsPayment} />
            {asked.action !== 'undo_cancel' && <Next preview={value} />}
            {value.shortfall !== undefined && <PayInPlace shortfall={value.shortfall} waits={value.if_unpaid === 'waits'} />}
            <Problem error={action.error} />
          </div>
        )}
      </Loaded>
      <DialogButtons>
        <Button onClick={onClose}>{asked.action === 'cancel' ? 'Keep it as it is' : 'Not now'}</Button>
        <Button
          kind={asked.action === 'cancel' ? 'danger' : preview.data?.can_pay_now === false ? 'default' : 'primary'}
          busy={action.isPending}
          disabled={preview.data === undefined || preview.isError || !preview.isFetchedAfterMount || (!preview.data.can_pay_now && preview.data.if_unpaid === 'refused')}
          onClick={() => action.mutate(actionOf(asked, preview.data?.demanded_micros))}
        >
          {button}
        </Button>
      </DialogButtons>
    </Dialog>
  );
}

function Now({ preview, asked, awaitsPayment }: { preview: Preview; asked: Asked; awaitsPayment: boolean }) {
  const [invoice] = preview.invoices;
  if (asked.action === 'cancel' && awaitsPayment) {
    return (
      <Banner tone="info" title="It ends at once">
        It was never paid for, so nothing is asked for it any more. This cannot be undone; you can subscribe again at any time.
      </Banner>
    );
  }
  if (invoice === undefined) {
    return (
      <Banner tone="info" title="Nothing is charged today">
        It takes effect on <Time at={preview.takes_effect_at} />.
        {asked.action === 'cancel' && ' Until then it can be undone. Afterwards keys stop, and they are deleted seven days later; what you used stays visible.'}
      </Banner>
    );
  }
  // Credit that is used is a line of the invoice.
  const methods = preview.paid_by.filter(({ method }) => method !== 'credits');
  const heading = preview.can_pay_now ? 'Charged today' : preview.if_unpaid === 'waits' ? 'Charged as soon as it can be paid' : 'To be paid first';
  return (
    <section aria-label={heading}>
      <div className="flex items-baseline justify-between gap-4">
        <h3 className="text-[13px] font-semibold">{heading}</h3>
        <p className="text-xl font-semibold" data-testid="charged-today">
          <Money micros={preview.demanded_micros} />
        </p>
      </div>
      <div className="mt-2 rounded border border-line">
        <InvoiceLines lines={invoice.lines} />
      </div>
      <ul className="mt-2 grid gap-1 text-[13px] text-muted">
        {methods.map(({ method, amount_micros: amount }) => (
          <li key={method} className="flex justify-between gap-4">
            <span>Paid from {method}</span>
            <Money micros={amount} />
          </li>
        ))}
        {invoice.credit_on_payment_micros > 0 && (
          <li className="flex justify-between gap-4">
            <span>Back as credit, for the days of the month that are over</span>
            <Money micros={invoice.credit_on_payment_micros} />
          </li>
        )}
      </ul>
    </section>
  );
}

function Next({ preview }: { preview: Preview }) {
  const { next_invoice: next } = preview;
  return (
    <section aria-label="Next invoice" className="flex items-baseline justify-between gap-4 border-t border-line pt-4 text-[13px]">
      <div>
        <h3 className="font-semibold">Next invoice, on the 1st</h3>
        <p className="text-muted">
          Usage so far and the next month
          {next.credits_micros > 0 && <>, less <Money micros={next.credits_micros} /> of credit</>}
        </p>
      </div>
      <p className="text-base font-semibold">
        <Money micros={next.amount_micros} />
      </p>
    </section>
  );
}

function textsOf(name: ServiceName, { action, tier }: Asked): { title: string; button: string } {
  const label = SERVICE_LABEL[name];
  switch (action) {
    case 'subscribe':
      return { title: `Subscribe to ${label} ${tierLabel(tier ?? '')}`, button: 'Subscribe' };
    case 'change_tier':
      return { title: `Change ${label} to ${tierLabel(tier ?? '')}`, button: `Change to ${tierLabel(tier ?? '')}` };
    case 'cancel':
      return { title: `Cancel ${label}?`, button: `Cancel ${label}` };
    case 'undo_cancel':
      return { title: `Keep ${label}`, button: 'Keep the service' };
  }
}

/** With the amount that was shown: if it has become another one, nothing is done. */
function actionOf({ action, tier }: Asked, shown: number | undefined): ServiceAction {
  if (action === 'cancel' || action === 'undo_cancel') return { do: action };
  return { do: action, choice: { tier: tier ?? 'starter', ...(shown === undefined ? {} : { expected_micros: shown }) } };
}

