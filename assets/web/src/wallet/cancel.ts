/** Giving up on a wallet: several never answer once their window is closed. */

/** What was waited for was given up. */
export class GivenUp extends Error {}

/** The answer, unless the wait for it is given up before: what comes later, a refusal too, is ignored. What was given up already is not asked. */
export async function unlessGivenUp<T>(question: () => Promise<T>, signal: AbortSignal): Promise<T> {
  if (signal.aborted) throw new GivenUp();
  return new Promise<T>((resolve, reject) => {
    signal.addEventListener('abort', () => reject(new GivenUp()), { once: true });
    question().then(resolve, reject);
  });
}
