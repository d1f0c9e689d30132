import type { UseQueryResult } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { isWorthAskingAgain } from '../server/askAgain';
import { Button } from './Button';
import { Problem } from './Problem';
import { Lines } from './Skeleton';
import { Time } from './Time';

interface LoadedProps<T> {
  query: UseQueryResult<T>;
  /** Stands in while nothing is known yet; as tall as what follows. */
  skeleton?: ReactNode;
  children: (value: T) => ReactNode;
}

/** What is known stays on the page even if a later question fails; then it says of when it is. */
export function Loaded<T>({ query, skeleton, children }: LoadedProps<T>) {
  if (query.data !== undefined) {
    return (
      <>
        {query.isError && <Old query={query} />}
        {children(query.data)}
      </>
    );
  }
  if (query.isError) return <Problem error={query.error} onRetry={() => void query.refetch()} />;
  return skeleton ?? <Lines />;
}

function Old({ query }: { query: UseQueryResult }) {
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
