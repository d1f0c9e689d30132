import { WifiOff } from 'lucide-react';
import { formatTime } from '../../../format';

/** Hangs below the top bar without taking room, so that the figures stay where they are. */
export function LostBanner({ lost, lastSeen }: { lost: boolean; lastSeen: string | undefined }) {
  return (
    <div role="status" className="sticky top-[49px] z-10 h-0">
      {lost && (
        <p className="flex h-8 items-center gap-2 border-b border-warn-line max-sm:text-xs bg-warn-fill px-4 text-[13px] text-warn lg:px-8">
          <WifiOff aria-hidden="true" className="size-4 shrink-0" strokeWidth={1.5} />
          <span className="truncate">
            <strong className="font-semibold">Connection lost; retrying.</strong>
            <span className="max-sm:sr-only"> Last figures</span>
            {lastSeen !== undefined && ` ${formatTime(Date.parse(lastSeen))} UTC`}
          </span>
        </p>
      )}
    </div>
  );
}
