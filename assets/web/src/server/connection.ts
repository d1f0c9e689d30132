/** Whether the server answers at all: told by every request, and asked for while it does not. */
import { useSyncExternalStore } from 'react';
import { Unreachable } from './problem';

/** A server that takes longer is hung, and the page should say so. The server itself gives up after 30 s. */
const LONGEST_ANSWER_MS = 35_000;
const ASK_AGAIN_MS = 2_000;

const listeners = new Set<() => void>();
let reachable = true;
let timer: ReturnType<typeof setTimeout> | undefined;

export function useReachable(): boolean {
  return useSyncExternalStore(subscribe, () => reachable);
}

export function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function isReachable(): boolean {
  return reachable;
}

/** As `fetch`, but a server that gives no answer is told apart, and changes that can be repeated are sent twice. */
export const send: typeof fetch = async (input, init) => {
  const request = withKey(new Request(input, init));
  const again = request.clone();
  try {
    return await sendOnce(request);
  } catch (error) {
    if (request.signal.aborted || !again.headers.has('idempotency-key')) throw error;
    return sendOnce(again);
  }
};

async function sendOnce(request: Request): Promise<Response> {
  try {
    const response = await fetch(request, { signal: AbortSignal.any([request.signal, AbortSignal.timeout(LONGEST_ANSWER_MS)]) });
    change(true);
    return response;
  } catch (error) {
    if (request.signal.aborted) throw error;
    change(false);
    throw new Unreachable(error);
  }
}

/** One key for each thing that is to happen once: whoever sends it again does not do it twice. */
function withKey(request: Request): Request {
  const changes = request.method !== 'GET' && !new URL(request.url).pathname.startsWith('/api/auth/');
  if (changes && !request.headers.has('idempotency-key')) request.headers.set('idempotency-key', crypto.randomUUID());
  return request;
}

/** A stream has broken off: the server may be gone, and nobody else may be asking it anything. */
export function suspect(): void {
  if (reachable) void probe();
}

function change(next: boolean): void {
  if (reachable === next) return;
  reachable = next;
  clearTimeout(timer);
  if (!next) timer = setTimeout(() => void probe(), ASK_AGAIN_MS);
  for (const listener of listeners) listener();
}

async function probe(): Promise<void> {
  try {
    await fetch('/health', { signal: AbortSignal.timeout(ASK_AGAIN_MS) });
    change(true);
  } catch {
    if (reachable) change(false);
    else timer = setTimeout(() => void probe(), ASK_AGAIN_MS);
  }
}
