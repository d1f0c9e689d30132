import { LoaderCircle } from 'lucide-react';

/** While gateways take over a change; it takes a second. */
export function Updating() {
  return (
    <span role="status" className="inline-flex items-center gap-1.5 text-[13px] text-muted" title="The gateways take over the last change">
      <LoaderCircle aria-hidden="true" className="size-3.5 motion-safe:animate-spin" strokeWidth={2} />
      Updating …
    </span>
  );
}
