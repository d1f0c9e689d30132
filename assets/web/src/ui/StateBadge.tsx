import { Badge } from './Badge';
import { STATES, stateLabel } from './states';

export function StateBadge({ state }: { state: string }) {
  const tone = Object.hasOwn(STATES, state) ? STATES[state]?.tone : undefined;
  return <Badge tone={tone ?? 'idle'}>{stateLabel(state)}</Badge>;
}
