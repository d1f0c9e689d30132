import type { Series } from '../../api';
import { formatCount, formatTime } from '../../../format';
import { ClassDot } from '../../../ui/ClassDot';
import type { Hover } from '../chart';
import { CLASSES } from '../traffic';

export function ChartTip({ hover, series }: { hover: Hover; series: Series }) {
  const from = Date.parse(series.from) + hover.bucket * series.step_ms;
  const last = hover.bucket === series.guaranteed.length - 1;
  return (
    <div
      aria-hidden="true"
      className="pointer-events-none absolute top-0 z-10 w-44 rounded border border-line bg-raised p-2.5 text-xs shadow-sm"
      style={hover.flip ? { right: hover.offset } : { left: hover.offset }}
    >
      <p className="text-muted">
        {formatTime(from)}–{formatTime(from + series.step_ms)} UTC
      </p>
      <ul className="mt-1.5 grid gap-0.5">
        {CLASSES.toReversed().map(({ id, label }) => (
          <li key={id} className="flex items-center gap-1.5">
            <ClassDot id={id} />
            {label}
            <span className="ml-auto">{formatCount(series[id][hover.bucket] ?? 0)}</span>
          </li>
        ))}
      </ul>
      {last && <p className="mt-1.5 text-muted">Still filling</p>}
    </div>
  );
}
