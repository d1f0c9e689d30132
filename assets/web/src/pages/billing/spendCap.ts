import { formatMoney } from '../../format';
import type { Schemas } from '../../server/api';

type SpendCap = Schemas['SpendCap'];

/** A cap as it stands in its field, to the last digit that it has. */
export function capText(cap: Pick<SpendCap, 'amount_micros'> | undefined): string {
  return cap === undefined ? '' : formatMoney(cap.amount_micros).replace('$', '');
}

/** Whether a cap that is saved so is reached already and stops the keys; what is spent is not told before there is a cap. */
export function stopsAtOnce(amountMicros: number | undefined, hardStop: boolean, cap: Pick<SpendCap, 'spent_micros'> | undefined): boolean {
  return hardStop && cap !== undefined && amountMicros !== undefined && amountMicros <= cap.spent_micros;
}
