import type { Schemas } from '../../server/api';
import { formatCount, formatMonth } from '../../format';
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
            <Quantity line={line} />
          </div>
          <Money micros={line.amount_micros} />
        </li>
      ))}
    </ul>
  );
}

/** Nothing for what is one piece. */
export function Quantity({ line }: { line: Line }) {
  const text = quantityText(line);
  return text === '' ? null : <p className="text-xs text-muted">{text}</p>;
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
  if (kind === 'credit' && reason !== undefined) return `Credit: ${creditReason(reason)}`;
  return text.replace(/\b\d{4}-\d{2}$/, formatMonth);
}

/** "5,442 × $1.00 per 10,000". */
function quantityText({ quantity, price, price_per: per, kind }: Line): string {
  if (kind === 'credit' || (quantity === 1 && per === 1)) return '';
  return `${formatCount(quantity)} × ${price}${per === 1 ? '' : ` per ${formatCount(per)}`}`;
}
