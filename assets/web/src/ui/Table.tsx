import { useVirtualizer } from '@tanstack/react-virtual';
import { ArrowDown, ArrowUp, ChevronsUpDown } from 'lucide-react';
import type { ReactNode } from 'react';
import { memo, useRef, useState } from 'react';
import { order } from './order';
import { usePrintedAt } from './printing';

export interface Column<T> {
  name: string;
  /** Numbers stand at the right. */
  right?: true;
  cell: (row: T) => ReactNode;
  /**
   * What the column is sorted by, if it can be. `undefined` comes after everything, as a time that never comes; what is past and never
   * was, such as the last use of what was not used, is `''`, which comes before everything.
   */
  by?: (row: T) => string | number | undefined;
  /** Left out on narrow screens. */
  wide?: true;
  hideName?: true;
}

interface TableProps<T> {
  caption: string;
  columns: readonly Column<T>[];
  rows: readonly T[];
  rowKey: (row: T) => string;
  onOpen?: (row: T) => void;
  empty?: ReactNode;
  /** Rows of one line, closer together: for logs. */
  dense?: boolean;
}

interface Sort {
  name: string;
  down: boolean;
}

/** From so many rows on, only those in sight are drawn. */
const DRAW_ALL_UP_TO = 120;
const ROW_PX = 44;
const DENSE_ROW_PX = 36;
const WINDOW_PX = 560;

export function Table<T>(props: TableProps<T>) {
  const { rows, columns, empty } = props;
  const [sort, setSort] = useState<Sort | undefined>();
  const printedAt = usePrintedAt();
  if (rows.length === 0 && empty !== undefined) return empty;
  const by = columns.find(({ name }) => name === sort?.name)?.by;
  const sorted = by === undefined ? rows : rows.toSorted((a, b) => order(by(a), by(b)) * (sort?.down === true ? -1 : 1));
  const turn = (name: string) => setSort(sort?.name === name && !sort.down ? { name, down: true } : { name, down: false });
  const shared = { ...props, rows: sorted, sort, turn };
  // Paper does not scroll.
  return sorted.length > DRAW_ALL_UP_TO && printedAt === undefined ? <LongTable {...shared} /> : <ShortTable {...shared} />;
}

interface SortedProps<T> extends TableProps<T> {
  sort: Sort | undefined;
  turn: (name: string) => void;
}

function ShortTable<T>(props: SortedProps<T>) {
  return (
    <div className="relative overflow-x-auto" tabIndex={0} role="region" aria-label={`${props.caption}, table`}>
      <table className="w-full border-collapse text-[13px]">
        <Head {...props} />
        <tbody>
          {props.rows.map((row) => (
            <Row key={props.rowKey(row)} row={row} columns={props.columns} onOpen={props.onOpen} dense={props.dense} />
          ))}
        </tbody>
      </table>
    </div>
  );
}

function LongTable<T>(props: SortedProps<T>) {
  const { rows, rowKey, columns, dense } = props;
  const box = useRef<HTMLDivElement>(null);
  // The compiler of React is not used here, so what it cannot look into does no harm.
  // oxlint-disable-next-line react/incompatible-library
  const rowsInSight = useVirtualizer({ count: rows.length, getScrollElement: () => box.current, estimateSize: () => (dense === true ? DENSE_ROW_PX : ROW_PX), overscan: 12 });
  const items = rowsInSight.getVirtualItems();
  const above = items[0]?.start ?? 0;
  const below = rowsInSight.getTotalSize() - (items.at(-1)?.end ?? 0);
  return (
    <div ref={box} className="relative overflow-auto" style={{ height: WINDOW_PX }} tabIndex={0} role="region" aria-label={`${props.caption}, table`}>
      <table className="w-full border-collapse text-[13px]" aria-rowcount={rows.length}>
        <Head {...props} sticky />
        <tbody>
          <Gap height={above} columns={columns.length} />
          {items.map(({ index }) => {
            const row = rows[index];
            return row === undefined ? null : <Row key={rowKey(row)} row={row} columns={columns} onOpen={props.onOpen} dense={dense} />;
          })}
          <Gap height={below} columns={columns.length} />
        </tbody>
      </table>
    </div>
  );
}

function Gap({ height, columns }: { height: number; columns: number }) {
  return height <= 0 ? null : (
    <tr aria-hidden="true">
      <td colSpan={columns} style={{ height }} />
    </tr>
  );
}

function Head<T>({ caption, columns, sort, turn, sticky = false }: SortedProps<T> & { sticky?: boolean }) {
  return (
    <>
      <caption className="sr-only">{caption}</caption>
      <thead className={sticky ? 'sticky top-0 z-10 bg-raised' : ''}>
        <tr>
          {columns.map(({ name, right, by, wide, hideName }) => {
            const sorted = sort?.name === name ? sort : undefined;
            const Icon = sorted === undefined ? ChevronsUpDown : sorted.down ? ArrowDown : ArrowUp;
            return (
              <th
                key={name}
                scope="col"
                aria-sort={by === undefined ? undefined : sorted === undefined ? 'none' : sorted.down ? 'descending' : 'ascending'}
                className={`h-9 border-b border-line bg-sunken px-3 font-medium whitespace-nowrap text-muted first:pl-4 last:pr-4 sm:first:pl-5 sm:last:pr-5 ${right ? 'text-right' : 'text-left'} ${wide ? 'max-md:hidden' : ''}`}
              >
                {by === undefined ? (
                  <span className={hideName ? 'sr-only' : ''}>{name}</span>
                ) : (
                  <button type="button" onClick={() => turn(name)} className="inline-flex items-center gap-1 hover:text-ink">
                    {name}
                    <Icon aria-hidden="true" className={`size-3 ${sorted === undefined ? 'opacity-40' : ''}`} />
                  </button>
                )}
              </th>
            );
          })}
        </tr>
      </thead>
    </>
  );
}

interface RowProps<T> {
  row: T;
  columns: readonly Column<T>[];
  onOpen: ((row: T) => void) | undefined;
  dense: boolean | undefined;
}

/** Drawn again only for another row or other columns: a list that scrolls has many. */
const Row = memo(RowCells) as typeof RowCells;

function RowCells<T>({ row, columns, onOpen, dense }: RowProps<T>) {
  return (
    <tr onClick={onOpen === undefined ? undefined : () => onOpen(row)} className={`border-b border-line last:border-b-0 ${onOpen === undefined ? '' : 'cursor-pointer hover:bg-sunken'}`}>
      {columns.map(({ name, right, cell, wide }) => (
        <td key={name} className={`${dense === true ? 'h-9 py-1' : 'h-11 py-1.5'} px-3 first:pl-4 last:pr-4 sm:first:pl-5 sm:last:pr-5 ${right ? 'text-right whitespace-nowrap' : ''} ${wide ? 'max-md:hidden' : ''}`}>
          {cell(row)}
        </td>
      ))}
    </tr>
  );
}
