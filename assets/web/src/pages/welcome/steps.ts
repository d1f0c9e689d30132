/** Which of the five steps have happened. */
import type { Schemas } from '../../server/api';

interface Known {
  service: Pick<Schemas['Service'], 'state' | 'keys_work'>;
  /** Each is `undefined` while it is not known. */
  billing: { escrow?: { balance_micros: number } } | undefined;
  keys: number | undefined;
  requests: number | undefined;
}

/** In the order of the page. `undefined` while it cannot be told: what is not known has not been left undone. */
export function stepsDone({ service, billing, keys, requests }: Known): readonly boolean[] | undefined {
  const subscribed = service.state !== 'not_provisioned';
  if (billing === undefined) return undefined;
  // Without a subscription the step that is open comes before them, whatever they are.
  if (subscribed && (keys === undefined || requests === undefined)) return undefined;
  // A deposit counts as made, too, once it has been spent.
  const deposited = billing.escrow !== undefined && (billing.escrow.balance_micros > 0 || subscribed);
  return [deposited, subscribed, service.keys_work, (keys ?? 0) > 0, (requests ?? 0) > 0];
}
