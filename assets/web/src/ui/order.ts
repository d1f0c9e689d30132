type Sortable = string | number | undefined;

/** As `sort` wants it: numbers by size, words as people look them up, and what is not there after everything that is. */
export function order(a: Sortable, b: Sortable): number {
  if (a === undefined || b === undefined) return Number(a === undefined) - Number(b === undefined);
  return typeof a === 'number' && typeof b === 'number' ? a - b : String(a).localeCompare(String(b));
}
