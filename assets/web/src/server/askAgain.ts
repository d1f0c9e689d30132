/** What is asked again by itself after it failed, and how soon. */
import { codeOf } from './problem';

/** What a second question may answer differently. */
const WORTH_ASKING_AGAIN = new Set(['queries_busy', 'request_timeout', 'not_ready', 'internal', 'unreachable']);

/** Between two questions that failed for a reason that passes. */
const ASK_AGAIN_MS = 5_000;

export function isWorthAskingAgain(error: Error | null): boolean {
  return error !== null && WORTH_ASKING_AGAIN.has(codeOf(error) ?? '');
}

/** When to ask again: soon after a failure that passes, without an end and without a click; otherwise as usual. */
export function askAgainMs(error: Error | null, usual: number | false = false): number | false {
  return isWorthAskingAgain(error) ? ASK_AGAIN_MS : usual;
}
