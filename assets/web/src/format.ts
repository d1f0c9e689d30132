/** One formatter for each kind of figure. None of them rounds money: what is shown is what is charged. */

const MICROS_PER_DOLLAR = 1_000_000;
const MICROS_PER_CENT = 10_000;
export const NOT_MEASURED = '–';

const count = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 });
const rate = new Intl.NumberFormat('en-US', { maximumFractionDigits: 1, minimumFractionDigits: 1 });
const short = new Intl.NumberFormat('en-US', { maximumFractionDigits: 2 });
const month = new Intl.DateTimeFormat('en-US', { month: 'long', year: 'numeric', timeZone: 'UTC' });
const day = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short', year: 'numeric', timeZone: 'UTC' });
const minute = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', timeZone: 'UTC' });
const dayMonth = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short', timeZone: 'UTC' });
const local = new Intl.DateTimeFormat('en-GB', { dateStyle: 'medium', timeStyle: 'long' });
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

/** Cents apart from the digits below a cent, which are shown smaller: "$1,234.56" and "78"; of them at least so many, so that a column stays even. */
export function splitMoney(micros: number, belowDigits = 0): { cents: string; below: string } {
  const text = formatMoney(micros);
  const dot = text.indexOf('.');
  return { cents: text.slice(0, dot + 3), below: text.slice(dot + 3).padEnd(belowDigits, '0') };
}

/** For what is a guess: whole cents, "≈ $0.26". */
export function formatAboutMoney(micros: number): string {
  return `≈ ${formatMoney(Math.round(micros / MICROS_PER_CENT) * MICROS_PER_CENT)}`;
}

/** What a person types as an amount: "12", "12.5", "$1,250.00". `undefined` if it is none, or finer than a micro-dollar. */
export function parseMoney(text: string): number | undefined {
  const match = /^\$?\s*(\d{1,3}(?:,\d{3})+|\d{1,9})(?:\.(\d{1,6}))?$/.exec(text.trim());
  if (match === null) return undefined;
  const whole = Number((match[1] ?? '').replaceAll(',', ''));
  return whole * MICROS_PER_DOLLAR + Number((match[2] ?? '').padEnd(6, '0'));
}

/** "26 Nov 2026". */
export function formatDay(ms: number): string {
  return day.format(ms);
}

/** "26 Nov 2026, 08:57 UTC", or with seconds. */
export function formatInstant(ms: number, seconds = false): string {
  return `${day.format(ms)}, ${(seconds ? time : minute).format(ms)} UTC`;
}

/** "08:57 UTC": of what is not long ago. */
export function formatTimeOfDay(ms: number): string {
  return `${minute.format(ms)} UTC`;
}

/** The label of a time on an axis whose steps are so long. */
export function formatTick(ms: number, stepS: number): string {
  return stepS >= 86_400 ? dayMonth.format(ms) : minute.format(ms);
}

/** The same instant where the reader is. */
export function formatLocal(ms: number): string {
  return `${local.format(ms)} (your time)`;
}

const BYTE_UNITS = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'];

export function formatBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < BYTE_UNITS.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${unit === 0 ? count.format(value) : rate.format(value)} ${BYTE_UNITS[unit]}`;
}

/** "1.25 k", "3.4 M": for axes. */
export function formatShort(value: number): string {
  if (Math.abs(value) < 1000) return Number.isInteger(value) ? count.format(value) : rate.format(value);
  const [size, unit] = Math.abs(value) < 1e6 ? [1e3, 'k'] : Math.abs(value) < 1e9 ? [1e6, 'M'] : [1e9, 'G'];
  return `${short.format(value / size)} ${unit}`;
}

/** How much more or less than before: "+12.3 %", or "× 25" beyond tenfold. Without a before there is no change. */
export function formatChange(now: number, before: number): string {
  if (before === 0) return NOT_MEASURED;
  if (now >= 10 * before) return `× ${count.format(now / before)}`;
  const percent = (100 * (now - before)) / before;
  return `${percent < 0 ? '−' : '+'}${rate.format(Math.abs(percent))} %`;
}

/** `0x1234…cdef`. */
export function shortAddress(address: string): string {
  return address.length > 14 ? `${address.slice(0, 6)}…${address.slice(-4)}` : address;
}
