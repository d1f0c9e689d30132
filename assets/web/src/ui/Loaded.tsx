import type { ReactNode } from 'react';
import { isWorthAskingAgain } from '../server/askAgain';
import { Button } from './Button';
import { Problem } from './Problem';
import { Lines } from './Skeleton';
import { Time } from './Time';

/** What is asked for: one answer, or one page after the other. */
export interface Asked<T> {
  data: T | undefined;
  error: Error | null;
  isError: boolean;
  isFetching: boolean;
  dataUpdatedAt: number;
  refetch: () => Promise<unknown>;
}

interface LoadedProps<T> {
  query: Asked<T>;
  /** Stands in while nothing is known yet; as tall as what follows. */
  skeleton?: ReactNode;
  children: (value: T) => ReactNode;
}

/** What is known stays on the page even if a later question fails; then it says of when it is. */
export function Loaded<T>({ query, skeleton, children }: LoadedProps<T>) {
  if (query.data !== undefined) {
    return (
      <>
        <Old query={query} />
        {children(query.data)}
      </>
    );
  }
  if (query.isError) return <Problem error={query.error} onRetry={() => void query.refetch()} />;
  return skeleton ?? <Lines />;
}

/** A mark for what was asked for again in vain; nothing if the last answer is the newest. */
export function Old({ query }: { query: Asked<unknown> }) {
  if (query.data === undefined || !query.isError) return null;
  return (
    <p role="status" className="flex flex-wrap items-center gap-x-2 px-4 py-2 text-xs text-warn sm:px-5">
      <span>
        As of <Time at={new Date(query.dataUpdatedAt).toISOString()} show="time" />
        {isWorthAskingAgain(query.error) && '; asking again'}
      </span>
      {!isWorthAskingAgain(query.error) && (
        <Button kind="quiet" busy={query.isFetching} onClick={() => void query.refetch()}>
          Ask again
        </Button>
      )}
    </p>
  );
}
