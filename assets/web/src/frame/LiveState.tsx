import { Unplug } from 'lucide-react';
import { useReachable } from '../server/connection';
import { ASK_EVERY_S } from '../server/live';

/** Says when figures do not move by themselves. A server that is not there at all has a banner of its own. */
export function LiveState({ isLive }: { isLive: boolean }) {
  const reachable = useReachable();
  return (
    <p role="status" className="text-xs text-warn">
      {!isLive && reachable && (
        <span className="flex items-center gap-1.5" title="News cannot be followed at present. It is tried again by itself.">
          <Unplug aria-hidden="true" className="size-3.5 shrink-0" strokeWidth={1.75} />
          <span className="max-md:sr-only">Not live: asked every {ASK_EVERY_S} seconds</span>
        </span>
      )}
    </p>
  );
}
