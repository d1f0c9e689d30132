import type { Schemas } from '../../server/api';
import { formatCount } from '../../format';
import { Money } from '../../ui/Money';

type Line = Schemas['InvoiceLine'];

/** Lines of an invoice, briefly: what, how often, and how much. */
export function InvoiceLines({ lines }: { lines: readonly Line[] }) {
  return (
    <ul className="divide-y divide-line text-[13px]">
      {lines.map((line) => (
        <li key={line.position} className="flex items-baseline justify-between gap-4 px-3 py-2">
          <div>
            <p>{lineText(line)}</p>
            <p className="text-xs text-muted">{quantityText(line)}</p>
          </div>
          <Money micros={line.amount_micros} />
        </li>
      ))}
    </ul>
  );
}

const CREDIT_REASON: Record<string, string> = {
  reconciliation: 'days before a subscription',
  goodwill: 'goodwill',
  promo: 'promotion',
  outage: 'outage',
  refund: 'refund',
};

export function creditReason(reason: string): string {
  return (Object.hasOwn(CREDIT_REASON, reason) ? CREDIT_REASON[reason] : undefined) ?? reason;
}

export function lineText({ kind, text, credit_reason: reason }: Line): string {
  return kind === 'credit' && reason !== undefined ? `Credit: ${creditReason(reason)}` : text;
}

/** "5,442 × $1.00 per 10,000"; nothing for what is one piece. */
export function quantityText({ quantity, price, price_per: per, kind }: Line): string {
  if (kind === 'credit' || (quantity === 1 && per === 1)) return '';
  return `${formatCount(quantity)} × ${price}${per === 1 ? '' : ` per ${formatCount(per)}`}`;
}
