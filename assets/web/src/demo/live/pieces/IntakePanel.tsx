import { CircleCheck, TriangleAlert } from 'lucide-react';
import type { ReactNode } from 'react';
import type { Intake, Overview } from '../../api';
import { formatCount, formatDuration, formatRate } from '../../../format';
import { Panel } from '../../../ui/Panel';

export function IntakePanel({ intake, traffic }: { intake: Intake; traffic: Overview['traffic'] }) {
  return (
    <Panel
      title="Log intake"
      aside={<span className="text-xs text-muted">{traffic === 'haproxy' ? 'HAProxy' : 'Synthetic lines'}</span>}
      className="flex flex-col"
    >
      <dl className="flex flex-1 flex-col divide-y divide-line px-4 sm:px-5">
        <Row label="Lines counted">{formatCount(intake.rows)}</Row>
        <Row label="Lines per second">{formatRate(intake.lines_per_s)}/s</Row>
        <Row label="Rejected lines">
          <Rejects count={intake.rejects} />
        </Row>
        <Row label="From request to row">{formatDuration(intake.line_to_row_ms)}</Row>
      </dl>
    </Panel>
  );
}

function Row({ label, children }: { label: string; children: ReactNode }) {
  return (
    <div className="flex min-h-11 flex-1 items-center justify-between gap-4">
      <dt className="text-[13px] text-muted">{label}</dt>
      <dd className="text-base font-semibold">{children}</dd>
    </div>
  );
}

function Rejects({ count }: { count: number }) {
  const Icon = count === 0 ? CircleCheck : TriangleAlert;
  return (
    <span className="flex items-center gap-1.5">
      <Icon aria-hidden="true" className={`size-4 ${count === 0 ? 'text-good' : 'text-warn'}`} strokeWidth={1.75} />
      {count === 0 ? 'None' : formatCount(count)}
    </span>
  );
}
