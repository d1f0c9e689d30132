/** Which stretch of time is looked at: one that ends now, or one between two instants (RFC 3339), the second now if left out. */
import { formatInstant } from '../format';
import type { Range } from './names';

export interface FreeSpan {
  from: string;
  to?: string;
}
export type Span = { range: Range } | FreeSpan;

const DAY_MS = 86_400_000;
export const MAX_DAYS = 400;
/** No request is older. */
const EARLIEST = Date.UTC(2000);

/** As addresses have it: free ends come before a range, which the API would not take beside them. */
export function spanOf({ range, from, to }: { range?: Range; from?: string; to?: string }): Span {
  if (from === undefined) return { range: range ?? '24h' };
  return to === undefined ? { from } : { from, to };
}

/** The same search at another time. */
export function atSpan<T extends { range?: Range; from?: string; to?: string }>(search: T, span: Span): Omit<T, 'range' | 'from' | 'to'> & Span {
  const { range: _range, from: _from, to: _to, ...rest } = search;
  return { ...rest, ...span };
}

/** What is wrong with free ends, in a sentence. */
export function spanProblem({ from, to }: FreeSpan, now = Date.now()): string | undefined {
  const begin = Date.parse(from);
  const end = to === undefined ? now : Date.parse(to);
  if (Number.isNaN(begin)) return 'Give the whole date and time at which it begins.';
  if (Number.isNaN(end)) return 'Give the whole date and time at which it ends, or leave it out for now.';
  if (begin >= now) return 'The beginning must lie in the past.';
  if (begin < EARLIEST) return 'The beginning must lie in 2000 or later.';
  if (end <= begin) return 'The end must be after the beginning.';
  if (end - begin > MAX_DAYS * DAY_MS) return `At most ${MAX_DAYS} days can be shown at once.`;
  return undefined;
}

/** "last 24h", or both ends. */
export function spanText(span: Span): string {
  if ('range' in span) return `last ${span.range}`;
  return `${formatInstant(Date.parse(span.from))} to ${span.to === undefined ? 'now' : formatInstant(Date.parse(span.to))}`;
}

/** For the name of a file: "24h", "20261101T0000Z-20261102T0000Z". */
export function spanName(span: Span): string {
  if ('range' in span) return span.range;
  return `${instantName(span.from)}-${span.to === undefined ? 'now' : instantName(span.to)}`;
}

function instantName(at: string): string {
  return `${toField(at).replaceAll(/[-:]/g, '')}Z`;
}

/** An instant as a field for UTC has it ("2026-11-01T08:00"); nothing of what is none. */
export function toField(at: string | number): string {
  const ms = typeof at === 'number' ? at : Date.parse(at);
  return Number.isNaN(ms) ? '' : new Date(ms).toISOString().slice(0, 16);
}

export function ofField(value: string): string {
  return value === '' ? '' : `${value}:00Z`;
}
