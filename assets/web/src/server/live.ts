/**
 * What moves by itself. One stream tells that something of the account has changed: money, keys, or counted requests, which change
 * the bill and so are told within half a second. Then the pages ask again for what they show. Without the stream they ask by the
 * clock, and say so.
 */
import type { QueryClient } from '@tanstack/react-query';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useEffect, useRef, useState, useSyncExternalStore } from 'react';
import { configQuery } from './queries';
import { PACES, pauseMs, refreshPace } from './refresh';
import { openStream } from './stream';

/** A stream ends every ten minutes, and the browser opens it again within seconds: that is not worth a word. */
const NOT_LIVE_AFTER_MS = 6_000;
export const ASK_EVERY_S = 10;
/** Beside the stream: the last 24 hours move on without a request, too. */
const MOVE_ON_EVERY_MS = 60_000;

/** Whether the pages hear of what happens; if not, they ask every `ASK_EVERY_S` seconds. */
export function useLive(): boolean {
  const client = useQueryClient();
  const visible = useSyncExternalStore(onVisibility, () => document.visibilityState === 'visible');
  const [isLive, setIsLive] = useState(true);
  useReloadOfConfig();
  useEffect(
    // Browsers allow few connections to a server that speaks HTTP/1.1, and pages that nobody sees would take them all.
    () => (visible ? followAccount(client, setIsLive) : undefined),
    [client, visible],
  );
  return isLive;
}

/** Keeps what is on the page up to date. Returns the function that ends it. */
export function followAccount(client: QueryClient, onLive: (isLive: boolean) => void): () => void {
  const paces = PACES.map((pace) =>
    atMostEvery(
      (inARow) => pauseMs(client, pace, inARow),
      () => refreshPace(client, pace),
    ),
  );
  const ask = () => paces.forEach(({ call }) => call());
  let grace: ReturnType<typeof setTimeout> | undefined;
  let clock = setInterval(ask, MOVE_ON_EVERY_MS);
  const askEvery = (ms: number) => {
    clearInterval(clock);
    clock = setInterval(ask, ms);
  };
  const giveUp = () => {
    onLive(false);
    ask();
    askEvery(ASK_EVERY_S * 1_000);
  };
  const onState = (isOpen: boolean) => {
    if (!isOpen) {
      grace ??= setTimeout(giveUp, NOT_LIVE_AFTER_MS);
      return;
    }
    clearTimeout(grace);
    grace = undefined;
    onLive(true);
    askEvery(MOVE_ON_EVERY_MS);
  };
  onState(false);
  const close = openStream(client, '/api/billing/events', 'billing', { onEvent: ask, onReopen: ask, onState });
  return () => {
    close();
    clearTimeout(grace);
    clearInterval(clock);
    paces.forEach(({ cancel }) => cancel());
  };
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

/**
 * Calls at once, then no more than once in each pause, the last call included, and once more if the action says so. A pause may depend on
 * how many there were in a row, each with a call in it.
 */
export function atMostEvery(ms: (inARow: number) => number, action: () => boolean | void): { call: () => void; cancel: () => void } {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let waiting = false;
  let inARow = 0;
  const end = () => {
    timer = undefined;
    inARow = waiting ? inARow + 1 : 0;
    if (!waiting) return;
    waiting = false;
    call();
  };
  const call = () => {
    if (timer !== undefined) {
      waiting = true;
      return;
    }
    waiting = action() === true;
    timer = setTimeout(end, ms(inARow));
  };
  return { call, cancel: () => clearTimeout(timer) };
}
