/** What the server pushes: one stream for billing, one for traffic. Each event makes the pages ask again for what they show. */
import type { QueryClient } from '@tanstack/react-query';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useEffect, useRef, useSyncExternalStore } from 'react';
import { suspect } from './connection';
import { configQuery, customerQuery } from './queries';

const FIRST_RETRY_MS = 1_000;
const LONGEST_RETRY_MS = 15_000;
/** Questions about traffic are dearer than those about money, so they are asked at most so often. */
const TRAFFIC_EVERY_MS = 1_000;

export function useLive(): void {
  const client = useQueryClient();
  const visible = useSyncExternalStore(onVisibility, () => document.visibilityState === 'visible');
  useReloadOfConfig();
  useEffect(() => {
    // Browsers allow few connections to a server that speaks HTTP/1.1, and pages that nobody sees would take them all.
    if (!visible) return undefined;
    const traffic = atMostEvery(TRAFFIC_EVERY_MS, () => void client.invalidateQueries({ queryKey: ['traffic'] }));
    const askForMoney = () => {
      for (const part of ['billing', 'customer', 'services']) void client.invalidateQueries({ queryKey: [part] });
    };
    const closeBilling = openStream(client, '/api/billing/events', 'billing', { onEvent: askForMoney, onReopen: askForMoney });
    const closeTraffic = openStream(client, '/api/traffic/live', 'requests', { onEvent: traffic.call, onReopen: traffic.call });
    return () => {
      closeBilling();
      closeTraffic();
      traffic.cancel();
    };
  }, [client, visible]);
}

/** Another `fver` means other prices or limits: everything that may show them is asked anew. */
function useReloadOfConfig(): void {
  const client = useQueryClient();
  const version = useQuery(configQuery).data?.['fver'];
  const known = useRef(version);
  useEffect(() => {
    if (known.current !== undefined && version !== undefined && version !== known.current) void client.invalidateQueries();
    known.current = version ?? known.current;
  }, [client, version]);
}

function onVisibility(listener: () => void): () => void {
  document.addEventListener('visibilitychange', listener);
  return () => document.removeEventListener('visibilitychange', listener);
}

interface StreamEars {
  onEvent: (data: string) => void;
  /** The stream goes on after a break: what happened meanwhile was not told. */
  onReopen?: () => void;
  /** Whether events would be heard. */
  onState?: (isOpen: boolean) => void;
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
    source.addEventListener('open', () => {
      failures = 0;
      if (wasOpen) onReopen?.();
      wasOpen = true;
      onState?.(true);
    });
    source.addEventListener(event, (message: MessageEvent<string>) => onEvent(message.data));
    source.addEventListener('error', () => {
      suspect();
      onState?.(false);
      // While it is CONNECTING the browser retries by itself; CLOSED (an answer other than a stream) it never does.
      if (source?.readyState !== EventSource.CLOSED) return;
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

/** Calls at once, then no more than once in each stretch of time, the last call included. */
export function atMostEvery(ms: number, action: () => void): { call: () => void; cancel: () => void } {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let waiting = false;
  const end = () => {
    timer = undefined;
    if (!waiting) return;
    waiting = false;
    call();
  };
  const call = () => {
    if (timer !== undefined) {
      waiting = true;
      return;
    }
    action();
    timer = setTimeout(end, ms);
  };
  return { call, cancel: () => clearTimeout(timer) };
}
