/** What an entry of the statement says, in words and in a file. */
import type { Schemas } from '../../server/api';

type Entry = Schemas['Entry'];

export type Reason =
  | 'deposit'
  | 'withdrawal'
  | 'foreign_charge'
  | 'foreign_credit'
  | 'invoice_issued'
  | 'invoice_voided'
  | 'invoice_paid'
  | 'overpaid'
  | 'credit_granted'
  | 'credits_used'
  | 'credits_returned'
  | 'credit_expired'
  | 'refund_paid';

export const REASONS: Record<Reason, string> = {
  deposit: 'Deposit',
  withdrawal: 'Withdrawal',
  foreign_charge: 'Taken from escrow without an invoice',
  foreign_credit: 'Put into escrow without a deposit',
  invoice_issued: 'Invoice issued',
  invoice_voided: 'Invoice voided',
  invoice_paid: 'Invoice paid',
  overpaid: 'Overpaid, kept as credit',
  credit_granted: 'Credit granted',
  credits_used: 'Credit used',
  credits_returned: 'Credit returned',
  credit_expired: 'Credit expired',
  refund_paid: 'Refund into escrow',
};

/** A reason that is not known is shown as it is. */
export function reasonText(reason: string): string {
  if (isReason(reason)) return REASONS[reason];
  const plain = reason.replaceAll('_', ' ');
  return plain.charAt(0).toUpperCase() + plain.slice(1);
}

function isReason(text: string): text is Reason {
  return Object.hasOwn(REASONS, text);
}

/** What moved: an entry's postings sum to zero, so one side of them. */
export function amountOf({ postings }: Pick<Entry, 'postings'>): number {
  return postings.filter(({ amount_micros: micros, currency }) => micros > 0 && currency === 'USD').reduce((sum, { amount_micros: micros }) => sum + micros, 0);
}

/** By how much escrow and credit are more; an invoice that is issued moves nothing of them yet. The books owe both to the customer, so that a debit is less. */
export function changeOf({ postings }: Pick<Entry, 'postings'>): number {
  return postings.filter(({ account, currency }) => (account === 'escrow' || account === 'credit') && currency === 'USD').reduce((sum, { amount_micros: micros }) => sum - micros, 0);
}

export const FILE_COLUMNS = ['at', 'reason', 'invoice', 'reference', 'amount_micros', 'escrow_micros', 'credits_micros', 'owed_micros', 'change_micros'];

export function cellsOf(entry: Entry): string[] {
  const { at, reason, invoice = '', reference = '', after } = entry;
  const amounts = [amountOf(entry), after.escrow_micros, after.credits_micros, after.owed_micros, changeOf(entry)];
  return [at, reason, invoice, reference, ...amounts.map(String)];
}
