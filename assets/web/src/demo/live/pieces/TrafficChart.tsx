import { useState } from 'react';
import type { Customer } from '../../api';
import { formatCount, formatRate } from '../../../format';
import { useTheme } from '../../../theme';
import type { Hover } from '../chart';
import { CLASSES, countAll, countByClass, peakRate } from '../traffic';
import { ChartTip } from './ChartTip';
import { MinuteTable } from './MinuteTable';
import { Plot } from './Plot';

export function TrafficChart({ customer }: { customer: Customer }) {
  const { series, guaranteed_per_s: guaranteed, name } = customer;
  const [hover, setHover] = useState<Hover | null>(null);
  const theme = useTheme();
  const idle = countAll(countByClass(series)) === 0;
  return (
    <div data-testid="customer-chart" className="relative">
      <div className="flex flex-wrap justify-between gap-x-3 text-xs text-muted">
        <p>Requests per second</p>
        <p className="flex items-center gap-1.5">
          <span aria-hidden="true" className="w-4 border-t border-dashed border-ink" />
          {formatCount(guaranteed)}/s guaranteed
        </p>
      </div>
      <div className="relative mt-2">
        {/* A canvas cannot follow the stylesheet, so another theme (or another line to draw) means another plot. */}
        <Plot key={`${theme} ${guaranteed}`} series={series} guaranteed={guaranteed} summary={summarise(customer)} onHover={setHover} />
        {idle && (
          <p className="pointer-events-none absolute inset-x-10 top-25 text-center text-[13px] text-muted">No requests in five minutes</p>
        )}
        {hover !== null && <ChartTip hover={hover} series={series} />}
      </div>
      <MinuteTable series={series} name={name} />
    </div>
  );
}

function summarise({ name, series }: Customer): string {
  const counts = countByClass(series);
  const classes = CLASSES.map(({ id, label }) => `${label} ${formatCount(counts[id])}`).join(', ');
  const peak = formatRate(peakRate(series));
  return `${name}, last five minutes: ${formatCount(countAll(counts))} requests, at most ${peak} per second. ${classes}.`;
}
