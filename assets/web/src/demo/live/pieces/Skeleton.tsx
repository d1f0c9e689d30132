const CARD = 'h-[599px] md:h-[424px] xl:h-[599px]';

/** The page's own outline, so that the figures appear where the grey was. */
export function Skeleton() {
  return (
    <div role="status" className="grid gap-6">
      <span className="sr-only">Loading the figures</span>
      <Block className="h-[191px] md:h-[107px]" />
      <div className="grid gap-4 xl:grid-cols-[minmax(0,1fr)_304px]">
        <Block className="h-[569px] sm:h-[268px]" />
        <Block className="h-[222px] xl:h-[268px]" />
      </div>
      <div>
        <div className="h-7 w-28 rounded bg-sunken" />
        <div className="mt-3 grid gap-4 xl:grid-cols-3">
          <Block className={CARD} />
          <Block className={CARD} />
          <Block className={CARD} />
        </div>
      </div>
    </div>
  );
}

function Block({ className }: { className: string }) {
  return (
    <div aria-hidden="true" className={`rounded border border-line p-5 ${className}`}>
      <div className="h-3 w-24 rounded bg-line motion-safe:animate-pulse" />
      <div className="mt-4 h-6 w-36 max-w-full rounded bg-line motion-safe:animate-pulse" />
    </div>
  );
}
