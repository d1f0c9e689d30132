/** How requests are told apart on charts and in tables, in words and colours. */
import type { ChartLine } from '../ui/chart/shape';
import type { Schemas } from './api';

interface Kind {
  id: string;
  label: string;
  meaning: string;
  color: string;
  names: readonly string[];
  always?: true;
}

/** In stacking order. Colours are Okabe and Ito's, which stay apart for colour-blind eyes. */
const CLASSES: readonly Kind[] = [
  { id: 'guaranteed', label: 'Guaranteed', meaning: 'Within the guaranteed rate; billed', color: '--class-guaranteed', names: ['guaranteed'], always: true },
  { id: 'burst', label: 'Burst', meaning: 'Above the guaranteed rate, within the burst rate; billed', color: '--class-burst', names: ['burst'], always: true },
  { id: 'limited', label: 'Rate-limited', meaning: 'Above the rate limit; not billed', color: '--class-limited', names: ['dropped_by_rate', 'dropped_per_ip'], always: true },
  { id: 'refused', label: 'Refused', meaning: 'The key or the address is not accepted; not billed', color: '--class-refused', names: ['denied'], always: true },
  { id: 'failed', label: 'Unavailable', meaning: 'The service was off or down; not billed', color: '--class-failed', names: ['unavailable'], always: true },
  { id: 'other', label: 'Other', meaning: 'Not put into a class; not billed', color: '--class-other', names: ['none', 'stream_delta', 'stream_close'] },
];

const STATUSES: readonly Kind[] = [
  { id: '2xx', label: '2xx', meaning: 'Answered', color: '--class-guaranteed', names: ['2xx', '1xx'], always: true },
  { id: '3xx', label: '3xx', meaning: 'Redirected', color: '--class-burst', names: ['3xx'] },
  { id: '4xx', label: '4xx', meaning: 'The request was refused', color: '--class-limited', names: ['4xx'], always: true },
  { id: '5xx', label: '5xx', meaning: 'The service failed', color: '--class-failed', names: ['5xx'], always: true },
  { id: 'other', label: 'No status', meaning: 'No answer, or a status of its own', color: '--class-other', names: ['none', '6xx', '7xx', '8xx', '9xx'] },
];

const BANDWIDTH: readonly Kind[] = [
  { id: 'out', label: 'To clients', meaning: 'Bytes of answers', color: '--class-guaranteed', names: ['bytes_out'], always: true },
  { id: 'in', label: 'From clients', meaning: 'Bytes of requests', color: '--class-limited', names: ['bytes_in'], always: true },
];

const KINDS = { class: CLASSES, status: STATUSES, bandwidth: BANDWIDTH };

export function chartLines(series: Schemas['TrafficSeries'], by: keyof typeof KINDS): ChartLine[] {
  return KINDS[by]
    .map(({ id, label, meaning, color, names, always }) => ({ id, label, meaning, color, always, values: sumOf(series, names) }))
    .filter(({ always, values }) => always === true || values.some((value) => value > 0));
}

export function allRequests(series: Schemas['TrafficSeries']): number[] {
  return sumOf(
    series,
    series.lines.map(({ name }) => name),
  );
}

/** Requests in all, and those that were answered with a status of 400 or more, or not at all, from a series by status. */
export function countsOf(series: Schemas['TrafficSeries']): { requests: number; errors: number } {
  const total = (names: readonly string[]) => sumOf(series, names).reduce((sum, value) => sum + value, 0);
  const requests = allRequests(series).reduce((sum, value) => sum + value, 0);
  return { requests, errors: requests - total(['1xx', '2xx', '3xx']) };
}

/** The word and colour of a request's class, for tables. */
export function classOf(name: string): Kind {
  const found = CLASSES.find(({ names }) => names.includes(name));
  return found ?? { id: 'other', label: name, meaning: '', color: '--class-other', names: [] };
}

/** The classes that requests can be filtered by, as the API names them. */
export const CLASS_FILTERS = [
  { value: 'guaranteed', label: 'Guaranteed' },
  { value: 'burst', label: 'Burst' },
  { value: 'dropped_by_rate', label: 'Rate-limited' },
  { value: 'dropped_per_ip', label: 'Limited by address' },
  { value: 'denied', label: 'Refused' },
  { value: 'unavailable', label: 'Unavailable' },
  { value: 'none', label: 'Other' },
] as const;

function sumOf(series: Schemas['TrafficSeries'], names: readonly string[]): number[] {
  const lines = series.lines.filter(({ name }) => names.includes(name));
  const length = series.lines[0]?.values.length ?? 0;
  return Array.from({ length }, (_, step) => lines.reduce((sum, { values }) => sum + (values[step] ?? 0), 0));
}
