/** What a failed request looks like to the pages: a problem of the API (RFC 9457), or a server that cannot be reached. */
import type { Problem } from '../client/client';

export class ApiError extends Error {
  readonly problem: Problem;
  /** Seconds to wait, from `Retry-After`. */
  readonly retryAfterS: number | undefined;

  constructor(problem: Problem, retryAfterS?: number) {
    super(problem.detail ?? problem.title);
    this.name = 'ApiError';
    this.problem = problem;
    this.retryAfterS = retryAfterS;
  }
}

export class Unreachable extends Error {
  constructor(cause: unknown) {
    super('suiftly cannot be reached', { cause });
    this.name = 'Unreachable';
  }
}

/** The problem in an answer's body; whatever else came is told by its status. */
export function problemOf(body: unknown, response: Response): ApiError {
  const wait = Number(response.headers.get('retry-after') ?? Number.NaN);
  return new ApiError(isProblem(body) ? body : strange(response.status), Number.isFinite(wait) ? wait : undefined);
}

/** The message for a form's field, by the name that the API gives it; entries of lists belong to the list's field. */
export function fieldMessages(error: Error | null, field: string): string[] {
  if (!(error instanceof ApiError)) return [];
  const errors = error.problem.errors ?? [];
  return errors.filter((one) => one.field === field || one.field.startsWith(`${field}[`)).map((one) => one.message);
}

export function codeOf(error: unknown): Problem['code'] | 'unreachable' | undefined {
  if (error instanceof ApiError) return error.problem.code;
  return error instanceof Unreachable ? 'unreachable' : undefined;
}

function strange(status: number): Problem {
  return { type: 'about:blank', title: 'The server did not answer as expected', status, code: 'internal' };
}

function isProblem(value: unknown): value is Problem {
  return typeof value === 'object' && value !== null && 'code' in value && typeof value.code === 'string' && 'title' in value;
}
