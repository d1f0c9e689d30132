import type { TrafficClass } from '../demo/api';

/** Always stands beside the word: colour alone tells nothing. */
export function ClassDot({ id }: { id: TrafficClass }) {
  return <span aria-hidden="true" className={`traffic-ink inline-block size-2 shrink-0 rounded-full class-${id}`} />;
}
