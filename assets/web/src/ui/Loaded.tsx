import type { UseQueryResult } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { Problem } from './Problem';
import { Lines } from './Skeleton';

interface LoadedProps<T> {
  query: UseQueryResult<T>;
  /** Stands in while nothing is known yet; as tall as what follows. */
  skeleton?: ReactNode;
  children: (value: T) => ReactNode;
}

/** What is known stays on the page even if a later question fails; the banner on top says that it may be old. */
export function Loaded<T>({ query, skeleton, children }: LoadedProps<T>) {
  if (query.data !== undefined) return children(query.data);
  if (query.isError) return <Problem error={query.error} onRetry={() => void query.refetch()} />;
  return skeleton ?? <Lines />;
}
