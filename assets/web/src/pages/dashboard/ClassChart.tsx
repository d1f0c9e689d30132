import type { UseQueryResult } from '@tanstack/react-query';
import { formatCount, formatShort } from '../../format';
import type { Schemas } from '../../server/api';
import { chartLines } from '../../server/traffic';
import { Chart } from '../../ui/chart/Chart';
import { ChartSkeleton } from '../../ui/chart/ChartSkeleton';
import { Loaded } from '../../ui/Loaded';

/** What a chart has around it: its legend and the padding. */
const AROUND_PX = 86;

/** The requests of the last day by class, under the figures of a panel. */
export function ClassChart({ series, height }: { series: UseQueryResult<Schemas['TrafficSeries']>; height: number }) {
  return (
    <div className="border-t border-line">
      <Loaded query={series} skeleton={<ChartSkeleton height={height + AROUND_PX} />}>
        {(value) => (
          <Chart
            title="Requests in the last 24 hours by class"
            kind="bars"
            from={Date.parse(value.from)}
            stepS={value.step_s}
            lines={chartLines(value, 'class')}
            height={height}
            format={formatCount}
            axis={formatShort}
          />
        )}
      </Loaded>
    </div>
  );
}
