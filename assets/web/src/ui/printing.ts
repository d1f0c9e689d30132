import { useSyncExternalStore } from 'react';
import { flushSync } from 'react-dom';

let printedAt: string | undefined;

/** When what is on the page is being put on paper, RFC 3339; `undefined` on the screen. */
export function usePrintedAt(): string | undefined {
  return useSyncExternalStore(subscribe, () => printedAt);
}

function subscribe(listener: () => void): () => void {
  const change = (at: string | undefined) => {
    printedAt = at;
    // What is drawn after the event is not on the paper.
    flushSync(listener);
  };
  const begin = () => change(printedAt ?? new Date().toISOString());
  const end = () => change(undefined);
  window.addEventListener('beforeprint', begin);
  window.addEventListener('afterprint', end);
  return () => {
    window.removeEventListener('beforeprint', begin);
    window.removeEventListener('afterprint', end);
  };
}
