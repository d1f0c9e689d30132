/** The contract with the server, and the only place that fetches. Amounts are integer micro-dollars, times are UTC. */

export type Service = 'seal' | 'grpc' | 'graphql';
export type Tier = 'starter' | 'pro' | 'enterprise';
export type TrafficClass = 'guaranteed' | 'burst' | 'limited' | 'refused' | 'failed';

/** Request counts per bucket and class, oldest first, all of one length; the last bucket may still be filling. */
export type Series = Record<TrafficClass, number[]> & { from: string; step_ms: number };

export interface Usage {
  requests: number;
  billable_requests: number;
  usage_micros: number;
  usage_display: string;
}

export interface Customer extends Usage {
  customer_id: number;
  name: string;
  service: Service;
  tier: Tier;
  guaranteed_per_s: number;
  burst_per_s: number;
  key_hint: string;
  invoice_micros: number;
  invoice_display: string;
  series: Series;
}

export interface Intake {
  rows: number;
  rejects: number;
  lines_per_s: number;
  line_to_row_ms: number | null;
}

export interface Price {
  amount_micros: number;
  per_requests: number;
  display: string;
}

export interface Overview {
  now: string;
  month: string;
  traffic: 'haproxy' | 'synthetic';
  intake: Intake;
  price: Price;
  total: Usage;
  customers: Customer[];
}

/** RFC 9457. */
export interface Problem {
  title: string;
  status: number;
  code: string;
  detail: string;
}

export class ApiError extends Error {
  readonly problem: Problem;

  constructor(problem: Problem) {
    super(problem.detail);
    this.name = 'ApiError';
    this.problem = problem;
  }
}

export const EVENTS_URL = '/api/demo/events';

/** A server that takes longer is hung, and the page should say so. */
const LONGEST_ANSWER_MS = 8_000;

export async function getOverview(signal: AbortSignal): Promise<Overview> {
  const response = await fetch('/api/demo/overview', {
    headers: { accept: 'application/json' },
    signal: AbortSignal.any([signal, AbortSignal.timeout(LONGEST_ANSWER_MS)]),
  });
  const body = await response.text();
  if (!response.ok) throw new ApiError(parseProblem(response.status, body));
  return parseOverview(body);
}

/** Both the answer to the GET and an event's data come through here, so the page never meets a half-formed overview. */
export function parseOverview(text: string): Overview {
  const value: unknown = JSON.parse(text);
  if (!isOverview(value)) throw new TypeError('The server sent an overview that this page does not understand.');
  return value;
}

export function parseProblem(status: number, body: string): Problem {
  const fallback: Problem = {
    title: 'The server did not answer as expected',
    status,
    code: `http_${status}`,
    detail: 'It may be starting or stopping.',
  };
  try {
    const value: unknown = JSON.parse(body);
    return isRecord(value) && typeof value['title'] === 'string' ? { ...fallback, ...value } : fallback;
  } catch {
    return fallback;
  }
}

/** Checks what the page would trip over, not every field: server and page ship in one binary. */
function isOverview(value: unknown): value is Overview {
  return (
    isRecord(value) &&
    typeof value['now'] === 'string' &&
    typeof value['month'] === 'string' &&
    ['intake', 'price', 'total'].every((key) => isRecord(value[key])) &&
    Array.isArray(value['customers']) &&
    value['customers'].every((customer) => isRecord(customer) && isSeries(customer['series']))
  );
}

function isSeries(value: unknown): boolean {
  if (!isRecord(value) || typeof value['step_ms'] !== 'number') return false;
  const columns = ['guaranteed', 'burst', 'limited', 'refused', 'failed'].map((name) => value[name]);
  return columns.every((column) => Array.isArray(column) && column.length === lengthOf(columns[0]));
}

function lengthOf(value: unknown): number {
  return Array.isArray(value) ? value.length : -1;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
