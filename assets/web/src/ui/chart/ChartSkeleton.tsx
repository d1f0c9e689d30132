/** Stands in for a chart that is to come, and says so. */
export function ChartSkeleton({ height }: { height: number }) {
  return (
    <div role="status">
      <span className="sr-only">Loading</span>
      <Bars height={height} />
    </div>
  );
}

/** Its bars, for who has said so already. */
export function Bars({ height }: { height: number }) {
  return (
    <div aria-hidden="true" className="flex items-end gap-1 px-5 pb-10 pt-5" style={{ height }}>
      {Array.from({ length: 32 }, (_, bar) => (
        <div key={bar} className="flex-1 rounded-xs bg-line opacity-60 motion-safe:animate-pulse" style={{ height: `${28 + 22 * Math.sin(bar / 5) + ((bar * 37) % 13)}%` }} />
      ))}
    </div>
  );
}
