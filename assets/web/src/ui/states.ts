import type { Tone } from './Badge';

/** One word for one state, everywhere. */
export const STATES: Record<string, { tone: Tone; label: string }> = {
  // Services
  not_provisioned: { tone: 'idle', label: 'Not subscribed' },
  disabled: { tone: 'warn', label: 'Off' },
  enabled: { tone: 'good', label: 'On' },
  suspended_maintenance: { tone: 'warn', label: 'Maintenance' },
  suspended_no_payment: { tone: 'bad', label: 'Stopped: unpaid' },
  cancellation_pending: { tone: 'warn', label: 'Cancelled' },
  // Keys and registrations
  active: { tone: 'good', label: 'Active' },
  revoked: { tone: 'warn', label: 'Revoked' },
  expired: { tone: 'idle', label: 'Expired' },
  queued: { tone: 'wait', label: 'Queued' },
  processing: { tone: 'wait', label: 'Registering' },
  registered: { tone: 'good', label: 'Registered' },
  // Invoices and credits
  draft: { tone: 'idle', label: 'Draft' },
  pending: { tone: 'wait', label: 'Payment pending' },
  paid: { tone: 'good', label: 'Paid' },
  failed: { tone: 'bad', label: 'Failed' },
  voided: { tone: 'idle', label: 'Voided' },
  open: { tone: 'good', label: 'Available' },
  used: { tone: 'idle', label: 'Used' },
  // Transactions and attempts
  built: { tone: 'idle', label: 'Not signed' },
  signed: { tone: 'wait', label: 'Sent' },
  seen: { tone: 'wait', label: 'On the chain' },
  final: { tone: 'wait', label: 'Final' },
  credited: { tone: 'good', label: 'Done' },
  sent: { tone: 'wait', label: 'Awaiting answer' },
  succeeded: { tone: 'good', label: 'Paid' },
  declined: { tone: 'bad', label: 'Declined' },
};

export function stateLabel(state: string): string {
  return (Object.hasOwn(STATES, state) ? STATES[state]?.label : undefined) ?? state.replaceAll('_', ' ');
}
