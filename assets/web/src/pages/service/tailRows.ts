/** What a tail has shown so far. */
import type { Schemas } from '../../server/api';

export type LoggedRequest = Schemas['TrafficRequest'];
type News = Pick<Schemas['TrafficNews'], 'items' | 'dropped'>;

/** Older ones make room. */
const KEPT = 200;

export interface TailRows {
  rows: readonly LoggedRequest[];
  /** How many were left out since it began, because there were too many. */
  dropped: number;
}

export const NO_ROWS: TailRows = { rows: [], dropped: 0 };

/**
 * With a piece of the stream in front. The first piece of a stream goes back 15 minutes: what it leaves out is older than the tail, and
 * some of what it has may be there already.
 */
export function withNews({ rows, dropped }: TailRows, news: News, isFirst: boolean): TailRows {
  const known = new Set(rows.map(rowKey));
  const fresh = news.items.filter((row) => !known.has(rowKey(row)));
  return { rows: [...fresh, ...rows].slice(0, KEPT), dropped: dropped + (isFirst ? 0 : news.dropped) };
}

export function rowKey({ request_id: id, at }: LoggedRequest): string {
  return `${id} ${at}`;
}
