import { useQueryClient } from '@tanstack/react-query';
import { WifiOff } from 'lucide-react';
import { useEffect } from 'react';
import { isReachable, subscribe, useReachable } from '../server/connection';

/** Hangs below the top bar without taking room. When the server answers again, everything is asked anew. */
export function LostBanner() {
  const client = useQueryClient();
  const reachable = useReachable();
  useEffect(
    () =>
      subscribe(() => {
        if (isReachable()) void client.invalidateQueries();
      }),
    [client],
  );
  return (
    <div role="status" className="no-print sticky top-[49px] z-10 h-0">
      {!reachable && (
        <p className="flex h-8 items-center gap-2 border-b border-warn-line bg-warn-fill px-4 text-[13px] text-warn lg:px-8">
          <WifiOff aria-hidden="true" className="size-4 shrink-0" strokeWidth={1.5} />
          <span className="truncate">
            <strong className="font-semibold">Connection lost; retrying.</strong> What you see may be old.
          </span>
        </p>
      )}
    </div>
  );
}
