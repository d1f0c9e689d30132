import { Bars } from './chart/ChartSkeleton';

/** Grey lines where text will be. */
export function Lines({ rows = 4, className = '' }: { rows?: number; className?: string }) {
  return (
    <div role="status" className={`grid gap-3 p-5 ${className}`}>
      <span className="sr-only">Loading</span>
      {Array.from({ length: rows }, (_, row) => (
        <div key={row} aria-hidden="true" className="h-3 rounded bg-line motion-safe:animate-pulse" style={{ width: `${92 - ((row * 23) % 50)}%` }} />
      ))}
    </div>
  );
}

/** Where a row of large numbers will be, and a chart under it. */
export function FigureLines({ chartHeight }: { chartHeight?: number }) {
  return (
    <div role="status">
      <span className="sr-only">Loading</span>
      <div aria-hidden="true" className="figures grid grid-cols-2 lg:grid-cols-4">
        {Array.from({ length: 4 }, (_, cell) => (
          <div key={cell} className="h-27 px-4 py-5 sm:px-5">
            <div className="h-3 w-20 rounded bg-line motion-safe:animate-pulse" />
            <div className="mt-4 h-6 w-28 max-w-full rounded bg-line motion-safe:animate-pulse" />
            <div className="mt-3 h-2.5 w-24 rounded bg-line motion-safe:animate-pulse" />
          </div>
        ))}
      </div>
      {chartHeight !== undefined && (
        <div className="border-t border-line">
          <Bars height={chartHeight} />
        </div>
      )}
    </div>
  );
}

/** A grey number. */
export function NumberLine() {
  return <span aria-hidden="true" className="mt-1.5 block h-4 w-16 rounded bg-line motion-safe:animate-pulse" />;
}

/** Grey boxes where cards will be. */
export function Boxes({ count = 3, height = 160, className = 'grid gap-4 md:grid-cols-3' }: { count?: number; height?: number; className?: string }) {
  return (
    <div role="status" className={className}>
      <span className="sr-only">Loading</span>
      {Array.from({ length: count }, (_, box) => (
        <div key={box} aria-hidden="true" className="rounded border border-line p-5" style={{ height }}>
          <div className="h-3 w-24 rounded bg-line motion-safe:animate-pulse" />
          <div className="mt-4 h-6 w-36 max-w-full rounded bg-line motion-safe:animate-pulse" />
        </div>
      ))}
    </div>
  );
}
