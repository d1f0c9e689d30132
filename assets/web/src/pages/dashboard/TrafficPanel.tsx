import { useQuery } from '@tanstack/react-query';
import { Radio } from 'lucide-react';
import { formatChange, formatCount, formatDuration, formatShare } from '../../format';
import type { Schemas } from '../../server/api';
import { seriesQuery, summaryQuery } from '../../server/queries';
import { Empty } from '../../ui/Empty';
import { Figure, Figures } from '../../ui/Figures';
import { Loaded } from '../../ui/Loaded';
import { Panel } from '../../ui/Panel';
import { FigureLines } from '../../ui/Skeleton';
import { ClassChart } from './ClassChart';

const DAY = { range: '24h' } as const;

export function TrafficPanel() {
  const summary = useQuery(summaryQuery(DAY));
  const series = useQuery(seriesQuery(DAY, 'class'));
  return (
    <Panel title="Traffic, last 24 hours" aside={<span className="text-xs text-muted">All services, UTC</span>}>
      <Loaded query={summary} skeleton={<FigureLines chartHeight={306} />}>
        {({ current, previous }) => (
          <>
            <TrafficFigures current={current} previous={previous} />
            {current.requests === 0 ? (
              <div className="border-t border-line">
                <Empty Icon={Radio} title="No requests in the last 24 hours">
                  Each request appears here within two seconds of its answer.
                </Empty>
              </div>
            ) : (
              <ClassChart series={series} height={200} />
            )}
          </>
        )}
      </Loaded>
    </Panel>
  );
}

export function TrafficFigures({ current, previous }: { current: Schemas['TrafficFigures']; previous: Schemas['TrafficFigures'] }) {
  const succeeded = current.requests - current.errors;
  return (
    <Figures>
      <Figure label="Requests" note={<Change now={current.requests} before={previous.requests} />}>
        <span data-testid="requests">{formatCount(current.requests)}</span>
      </Figure>
      <Figure label="Billable" note={current.requests === 0 ? 'Guaranteed and burst' : `${formatShare(current.billable_requests, current.requests)} of all`}>
        {formatCount(current.billable_requests)}
      </Figure>
      <Figure label="Success rate" note={`${formatCount(current.server_errors)} server errors`}>
        {formatShare(succeeded, current.requests)}
      </Figure>
      <Figure label="Response time, p95" note={current.p50_ms === undefined ? 'Of billable requests' : `p50 ${formatDuration(current.p50_ms ?? null)} · p99 ${formatDuration(current.p99_ms ?? null)}`}>
        {formatDuration(current.p95_ms ?? null)}
      </Figure>
    </Figures>
  );
}

function Change({ now, before }: { now: number; before: number }) {
  return before === 0 ? 'None in the time before' : `${formatChange(now, before)} on the time before`;
}
