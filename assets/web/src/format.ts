/** One formatter for each kind of figure. None of them rounds money: what is shown is what is charged. */

const MICROS_PER_DOLLAR = 1_000_000;
export const NOT_MEASURED = '–';

const count = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 });
const rate = new Intl.NumberFormat('en-US', { maximumFractionDigits: 1, minimumFractionDigits: 1 });
const month = new Intl.DateTimeFormat('en-US', { month: 'long', year: 'numeric', timeZone: 'UTC' });
const time = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit', timeZone: 'UTC' });

export function formatCount(value: number): string {
  return count.format(value);
}

/** One decimal always, so that a moving rate keeps its width. */
export function formatRate(value: number): string {
  return rate.format(value);
}

/** Micro-dollars, exactly: at least cents, and as many further digits as the amount has. */
export function formatMoney(micros: number): string {
  const whole = Math.trunc(Math.abs(micros) / MICROS_PER_DOLLAR);
  const fraction = String(Math.abs(micros) % MICROS_PER_DOLLAR).padStart(6, '0');
  const digits = fraction.slice(0, 2) + fraction.slice(2).replace(/0+$/, '');
  return `${micros < 0 ? '−' : ''}$${count.format(whole)}.${digits}`;
}

/** A share of a whole in per cent; a whole of nothing has no shares. */
export function formatShare(part: number, whole: number): string {
  if (whole === 0) return NOT_MEASURED;
  const percent = (100 * part) / whole;
  // A share that is not quite all, or not quite none, must not be rounded into either.
  if (part > 0 && percent < 0.1) return '< 0.1 %';
  if (part < whole && percent > 99.9) return '> 99.9 %';
  return `${rate.format(percent)} %`;
}

export function formatDuration(ms: number | null): string {
  if (ms === null) return NOT_MEASURED;
  return Math.round(ms) < 1000 ? `${count.format(ms)} ms` : `${rate.format(ms / 1000)} s`;
}

/** Time of day in UTC, because months and invoices are UTC too. */
export function formatTime(ms: number): string {
  return time.format(ms);
}

/** "2026-11" → "November 2026". */
export function formatMonth(value: string): string {
  const ms = Date.parse(`${value}-01T00:00:00Z`);
  return Number.isNaN(ms) ? value : month.format(ms);
}
