/** The part of each page's state that is in its address, read leniently: what is not understood is left out. */
import type { Range, Tier } from './server/names';
import { RANGES, TIERS } from './server/names';

type Raw = Record<string, unknown>;

export interface LoginSearch {
  next?: string;
}

export function loginSearch({ next }: Raw): LoginSearch {
  // Only a path of this site: `//host` would be another one.
  return typeof next === 'string' && /^\/(?!\/)/.test(next) ? { next } : {};
}

export interface SubscribeSearch {
  tier?: Tier;
}

export function subscribeSearch({ tier }: Raw): SubscribeSearch {
  const known = oneOf(TIERS, tier);
  return known === undefined ? {} : { tier: known };
}

export interface TrafficSearch {
  range?: Range;
  from?: string;
  to?: string;
  by?: 'class' | 'status' | 'bandwidth';
  of?: 'paths' | 'keys' | 'client_ips' | 'statuses';
}

export function trafficSearch({ range, from, to, by, of }: Raw): TrafficSearch {
  return defined({
    range: oneOf(RANGES, range),
    from: text(from),
    to: text(to),
    by: oneOf(['class', 'status', 'bandwidth'] as const, by),
    of: oneOf(['paths', 'keys', 'client_ips', 'statuses'] as const, of),
  });
}

export interface NetworkSearch {
  range?: Range;
}

export function networkSearch({ range }: Raw): NetworkSearch {
  return defined({ range: oneOf(RANGES, range) });
}

export interface LogsSearch {
  range?: Range;
  from?: string;
  to?: string;
  class?: string;
  status?: string;
  path?: string;
  key?: string;
  request?: string;
}

export function logsSearch(raw: Raw): LogsSearch {
  return defined({
    range: oneOf(RANGES, raw['range']),
    from: text(raw['from']),
    to: text(raw['to']),
    class: text(raw['class']),
    status: text(raw['status']),
    path: text(raw['path']),
    key: text(raw['key']),
    request: text(raw['request']),
  });
}

export interface ActivitySearch {
  find?: string;
}

export function activitySearch({ find }: Raw): ActivitySearch {
  return defined({ find: text(find) });
}

export interface InvoicesSearch {
  state?: 'draft' | 'pending' | 'paid' | 'failed' | 'voided';
}

export function invoicesSearch({ state }: Raw): InvoicesSearch {
  return defined({ state: oneOf(['draft', 'pending', 'paid', 'failed', 'voided'] as const, state) });
}

export interface EscrowSearch {
  action?: 'deposit' | 'withdraw' | 'limit';
  /** Dollars to begin with, as the reader would type them. */
  amount?: string;
}

export function escrowSearch({ action, amount }: Raw): EscrowSearch {
  return defined({ action: oneOf(['deposit', 'withdraw', 'limit'] as const, action), amount: text(amount) });
}

function oneOf<T extends string>(allowed: readonly T[], value: unknown): T | undefined {
  return allowed.find((one) => one === value);
}

/** Addresses write numbers and texts alike. */
function text(value: unknown): string | undefined {
  if (typeof value === 'number') return String(value);
  return typeof value === 'string' && value !== '' ? value : undefined;
}

type Defined<T> = { [K in keyof T]?: Exclude<T[K], undefined> };

function defined<T extends object>(values: T): Defined<T> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as Defined<T>;
}
