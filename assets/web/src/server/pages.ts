/** Lists that the API tells in pages. */

interface ListPage<T> {
  items: T[];
  /** Absent on the last page. */
  next_cursor?: string;
}

/** Everything up to the last page, for files. */
export async function everyItem<T>(ask: (cursor: string | undefined) => Promise<ListPage<T>>): Promise<T[]> {
  const all: T[] = [];
  let cursor: string | undefined;
  do {
    // Each page tells where the next one begins.
    // oxlint-disable-next-line no-await-in-loop
    const page = await ask(cursor);
    all.push(...page.items);
    cursor = page.next_cursor;
  } while (cursor !== undefined);
  return all;
}
