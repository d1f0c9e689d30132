/** Short news at the edge of the page: what was done. Failures stand where they happened instead. */
import { useSyncExternalStore } from 'react';

export interface Toast {
  id: number;
  text: string;
}

const SHOWN_MS = 5_000;
const listeners = new Set<() => void>();
let toasts: readonly Toast[] = [];
let next = 1;

export function toast(text: string): void {
  const id = next;
  next += 1;
  set([...toasts.slice(-2), { id, text }]);
  setTimeout(() => set(toasts.filter((one) => one.id !== id)), SHOWN_MS);
}

export function useToasts(): readonly Toast[] {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => toasts,
  );
}

function set(value: readonly Toast[]): void {
  toasts = value;
  for (const listener of listeners) listener();
}
