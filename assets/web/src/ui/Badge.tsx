import { CircleAlert, CircleCheck, CircleDashed, CirclePause, Clock } from 'lucide-react';
import type { ReactNode } from 'react';

export type Tone = 'good' | 'warn' | 'bad' | 'info' | 'idle' | 'wait';

const ICON = { good: CircleCheck, warn: CirclePause, bad: CircleAlert, info: CircleCheck, idle: CircleDashed, wait: Clock };
const LOOK: Record<Tone, string> = {
  good: 'text-good',
  warn: 'text-warn',
  bad: 'text-bad',
  info: 'text-link',
  idle: 'text-muted',
  wait: 'text-warn',
};

/** A state in one or two words; the icon says the same to those who do not see colours. */
export function Badge({ tone, children }: { tone: Tone; children: ReactNode }) {
  const Icon = ICON[tone];
  return (
    <span className={`inline-flex items-baseline gap-1.5 text-[13px] font-medium whitespace-nowrap ${LOOK[tone]}`}>
      <Icon aria-hidden="true" className="size-3.5 shrink-0 self-center" strokeWidth={2} />
      {children}
    </span>
  );
}
