/** Server-sent events, for as long as somebody listens: broken streams are opened again, less and less often. */
import type { QueryClient } from '@tanstack/react-query';
import { suspect } from './connection';
import { customerQuery } from './queries';

const FIRST_RETRY_MS = 1_000;
const LONGEST_RETRY_MS = 15_000;

interface StreamEars {
  /** `isFirst` tells that the stream began anew, and does not go on after what was told before. */
  onEvent: (data: string, isFirst: boolean) => void;
  /** The stream goes on after a break: what happened meanwhile was not told. */
  onReopen?: () => void;
  /** Whether events would be heard, and whether the server has refused to tell them. May say the same again. */
  onState?: (isOpen: boolean, isRefused: boolean) => void;
}

/** Returns the function that closes the stream. */
export function openStream(client: QueryClient, url: string, event: string, { onEvent, onReopen, onState }: StreamEars): () => void {
  let source: EventSource | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let failures = 0;
  let wasOpen = false;
  let closed = false;

  const connect = () => {
    source?.close();
    if (closed) return;
    source = new EventSource(url);
    let isFirst = true;
    source.addEventListener('open', () => {
      failures = 0;
      if (wasOpen) onReopen?.();
      wasOpen = true;
      onState?.(true, false);
    });
    source.addEventListener(event, (message: MessageEvent<string>) => {
      onEvent(message.data, isFirst);
      isFirst = false;
    });
    source.addEventListener('error', () => {
      suspect();
      // While it is CONNECTING the browser retries by itself; CLOSED (an answer other than a stream) it never does.
      const isRefused = source?.readyState === EventSource.CLOSED;
      onState?.(false, isRefused);
      if (!isRefused) return;
      timer = setTimeout(again, retryDelayMs(failures));
      failures += 1;
    });
  };
  // An EventSource cannot refresh the session; an ordinary request does.
  const again = () => {
    if (!closed) client.fetchQuery({ ...customerQuery, staleTime: 0 }).then(connect, connect);
  };

  connect();
  return () => {
    closed = true;
    clearTimeout(timer);
    source?.close();
  };
}

export function retryDelayMs(failures: number): number {
  return Math.min(FIRST_RETRY_MS * 2 ** failures, LONGEST_RETRY_MS);
}
