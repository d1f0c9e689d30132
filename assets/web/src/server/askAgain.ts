/** What is asked again by itself after it failed, and how soon. */
import { ApiError, codeOf } from './problem';

/** What a second question may answer differently. */
const WORTH_ASKING_AGAIN = new Set(['queries_busy', 'request_timeout', 'not_ready', 'internal', 'unreachable', 'rate_limited']);

/** Between two questions that failed for a reason that passes. */
const ASK_AGAIN_MS = 5_000;
/** The same where too much was asked: the sooner it is asked again, the longer that lasts. */
const TOO_MUCH_MS = 10_000;

export function isWorthAskingAgain(error: Error | null): boolean {
  return error !== null && WORTH_ASKING_AGAIN.has(codeOf(error) ?? '');
}

/** Whether it was refused because too much is asked, by this page or by others that share a limit with it. */
export function isTooMuch(error: Error | null): boolean {
  return codeOf(error) === 'rate_limited';
}

/** When to ask again: soon after a failure that passes, without an end and without a click; otherwise as usual. */
export function askAgainMs(error: Error | null, usual: number | false = false): number | false {
  if (!isWorthAskingAgain(error)) return usual;
  if (!isTooMuch(error)) return ASK_AGAIN_MS;
  return Math.max(TOO_MUCH_MS, 1_000 * (error instanceof ApiError ? (error.retryAfterS ?? 0) : 0));
}
