/** What can be done to a service as it stands, as the server decides it. */
import type { Service } from '../../server/queries';

type Standing = Pick<Service, 'state' | 'awaits_payment' | 'cancel_at'>;

export interface Allowed {
  turnOn: boolean;
  turnOff: boolean;
  changeTier: boolean;
  cancel: boolean;
  undoCancel: boolean;
}

const RUNNING = new Set(['enabled', 'disabled']);
/** Who wants to leave can, whether or not it works at the moment. */
const ENDABLE = new Set([...RUNNING, 'suspended_maintenance', 'suspended_no_payment']);

export function allowed({ state, awaits_payment: awaitsPayment, cancel_at: cancelAt }: Standing): Allowed {
  const ends = cancelAt !== undefined;
  return {
    turnOn: state === 'disabled' && !awaitsPayment,
    turnOff: state === 'enabled',
    changeTier: RUNNING.has(state) && !ends,
    cancel: ENDABLE.has(state) && !ends,
    undoCancel: ENDABLE.has(state) && ends,
  };
}
