import { Radio } from 'lucide-react';
import type { Overview } from '../../api';

const NEXT_STEP: Record<Overview['traffic'], string> = {
  haproxy: 'The demo sends requests through HAProxy by itself within a few seconds. If none appear, look at the terminal that runs it.',
  synthetic: 'The demo writes log lines by itself within a few seconds. If none appear, look at the terminal that runs it.',
};

export function NoTraffic({ traffic }: { traffic: Overview['traffic'] }) {
  return (
    <div className="flex items-start gap-3 rounded border border-dashed border-line bg-sunken px-4 py-4 sm:px-5">
      <Radio aria-hidden="true" className="mt-0.5 size-4 shrink-0 text-muted" strokeWidth={1.5} />
      <div>
        <p className="font-semibold">No traffic yet</p>
        <p className="mt-0.5 text-[13px] text-muted">{NEXT_STEP[traffic]}</p>
      </div>
    </div>
  );
}
