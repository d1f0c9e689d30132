import { Info } from 'lucide-react';
import type { Overview } from '../../api';

const SOURCE: Record<Overview['traffic'], string> = {
  haproxy: 'Requests pass through a real HAProxy on this machine, and are counted from the log lines it writes.',
  synthetic: 'HAProxy is not running here: the log lines are synthetic, in HAProxy’s format, and take the same way in.',
};

export function DemoNotice({ traffic }: { traffic: Overview['traffic'] }) {
  return (
    <aside aria-label="About this demo" className="overflow-hidden rounded border border-info-line">
      <p className="flex items-center gap-2 border-b border-info-line bg-info px-4 py-2.5 text-[13px] font-semibold sm:px-5">
        <Info aria-hidden="true" className="size-4 shrink-0 text-link" strokeWidth={1.75} />
        Demo: temporary data, nothing is charged
      </p>
      <div className="grid gap-x-8 gap-y-1 bg-raised px-4 py-3 text-[13px] text-pretty text-muted sm:px-5 md:grid-cols-2">
        <p>Payments run on a simulated chain. Everything here is gone when the demo stops.</p>
        <p>{SOURCE[traffic]}</p>
      </div>
    </aside>
  );
}
