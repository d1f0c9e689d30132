/** What notices say, in a sentence. */
import { formatDay, formatMoney } from '../format';
import type { Schemas } from './api';
import { serviceLabel } from './names';

type Notice = Schemas['BillingNotice'];

const TEXT: Record<string, (details: Record<string, unknown>) => string> = {
  invoice_issued: ({ invoice }) => `Invoice ${word(invoice)} was issued`,
  invoice_paid: ({ invoice }) => `Invoice ${word(invoice)} is paid`,
  invoice_failed: ({ invoice }) => `Invoice ${word(invoice)} could not be paid`,
  invoice_voided: ({ invoice }) => `Invoice ${word(invoice)} was voided`,
  payment_overdue: ({ suspends_at: at }) =>
    typeof at === 'string' ? `A payment is overdue; services stop on ${formatDay(Date.parse(at))}` : 'A payment is overdue',
  suspended: () => 'Services were stopped, because a payment is missing',
  resumed: () => 'Services run again',
  upgrade_declined: ({ service }) => `The upgrade of ${serviceLabel(word(service))} could not be paid, and was not made`,
  subscription_lapsed: ({ service }) => `The subscription of ${serviceLabel(word(service))} was not paid in time, and has lapsed`,
  credit_expired: ({ amount_micros: amount }) => `Credit expired${typeof amount === 'number' ? `: ${formatMoney(amount)}` : ''}`,
  credit_note_issued: ({ invoice }) => `A credit note was issued for ${word(invoice)}`,
  cap_reached: ({ percent }) => `${word(percent)} % of this month’s spend cap is reached`,
};

export function noticeText({ kind, details }: Notice): string {
  const known = Object.hasOwn(TEXT, kind) ? TEXT[kind] : undefined;
  return known === undefined ? kind.replaceAll('_', ' ') : known(details as Record<string, unknown>);
}

export function noticeInvoice({ details }: Notice): string | undefined {
  const { invoice } = details as Record<string, unknown>;
  return typeof invoice === 'string' ? invoice : undefined;
}

function word(value: unknown): string {
  return typeof value === 'string' || typeof value === 'number' ? String(value) : '';
}
