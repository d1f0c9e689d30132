/** What the sum of an invoice is, by its state: only what is issued and unpaid is to be paid. */
const LABELS: Record<string, string> = {
  draft: 'So far',
  pending: 'To pay',
  failed: 'To pay',
  paid: 'Paid',
  voided: 'Voided, nothing to pay',
};

export function totalLabel(state: string): string {
  return (Object.hasOwn(LABELS, state) ? LABELS[state] : undefined) ?? 'Sum';
}
