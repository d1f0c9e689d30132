/** The server's push of overviews: one EventSource, replaced with growing pauses when the browser has given it up for good. */
import type { Overview } from '../api';
import { EVENTS_URL, parseOverview } from '../api';

export type Connection = 'connecting' | 'live' | 'reconnecting';

interface Listener {
  onOverview: (overview: Overview) => void;
  onConnection: (connection: Connection) => void;
}

const FIRST_RETRY_MS = 500;
const LONGEST_RETRY_MS = 8_000;

/** Returns the function that closes the stream. */
export function openStream(listener: Listener): () => void {
  let source: EventSource | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let failures = 0;

  const connect = () => {
    clearTimeout(timer);
    source?.close();
    source = new EventSource(EVENTS_URL);
    source.addEventListener('open', () => {
      failures = 0;
      listener.onConnection('live');
    });
    source.addEventListener('overview', (event: MessageEvent<string>) => {
      listener.onOverview(parseOverview(event.data));
    });
    source.addEventListener('error', () => {
      listener.onConnection('reconnecting');
      // While it is CONNECTING the browser retries by itself; CLOSED (an answer other than a stream) it never does.
      if (source?.readyState === EventSource.CLOSED) {
        timer = setTimeout(connect, retryDelayMs(failures));
        failures += 1;
      }
    });
  };

  connect();
  return () => {
    clearTimeout(timer);
    source?.close();
  };
}

/** Doubles with each failure in a row, up to a pause that a person still waits for. */
export function retryDelayMs(failures: number): number {
  return Math.min(FIRST_RETRY_MS * 2 ** failures, LONGEST_RETRY_MS);
}
