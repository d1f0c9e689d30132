/** What keys are called, by the fingerprint that log lines have of them. */
import { useInfiniteQuery } from '@tanstack/react-query';
import type { ServiceName } from './names';
import { keysQuery } from './queries';

/** The key's name, or its fingerprint if it is deleted or somebody else's. */
export function useKeyNames(service: ServiceName): (fingerprint: string) => string {
  const pages = useInfiniteQuery(keysQuery(service)).data?.pages ?? [];
  const names = new Map(pages.flatMap(({ items }) => items.map(({ fingerprint, name }) => [String(fingerprint >>> 0), name])));
  return (fingerprint) => names.get(fingerprint) ?? fingerprint;
}
