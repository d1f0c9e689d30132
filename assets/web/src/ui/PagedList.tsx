import type { ReactNode } from 'react';
import { Button } from './Button';
import type { Asked } from './Loaded';
import { Loaded } from './Loaded';

interface MorePages {
  hasNextPage: boolean;
  isFetchingNextPage: boolean;
  fetchNextPage: () => Promise<unknown>;
}

export type Paged<T> = Asked<{ pages: readonly { items: readonly T[] }[] }> & MorePages;

interface PagedListProps<T> {
  pages: Paged<T>;
  skeleton?: ReactNode;
  /** What the button for the next page says. */
  more?: string;
  /** The list of all that is loaded. */
  children: (rows: readonly T[]) => ReactNode;
}

/** A list that is asked for page by page: what is loaded so far, and a button for the next page. */
export function PagedList<T>({ pages, skeleton, more = 'Load older ones', children }: PagedListProps<T>) {
  return (
    <>
      <Loaded query={pages} skeleton={skeleton}>
        {() => children(rowsOf(pages))}
      </Loaded>
      {pages.hasNextPage && (
        <div className="border-t border-line p-3 text-center">
          <MoreButton pages={pages}>{more}</MoreButton>
          <p className="hidden text-xs print:block">There are more that are not printed here: they were not loaded.</p>
        </div>
      )}
    </>
  );
}

export function MoreButton({ pages, children }: { pages: MorePages; children: string }) {
  return (
    <Button busy={pages.isFetchingNextPage} onClick={() => void pages.fetchNextPage()}>
      {children}
    </Button>
  );
}

/** Everything that is loaded, in order; nothing before the first page is there. */
export function rowsOf<T>({ data }: Pick<Paged<T>, 'data'>): T[] {
  return data?.pages.flatMap(({ items }) => items) ?? [];
}
