import type { ReactNode } from 'react';

/** What is known about one thing, a line each, under what is above them in a panel. */
export function Facts({ children }: { children: ReactNode }) {
  return <dl className="divide-y divide-line border-t border-line text-[13px]">{children}</dl>;
}

export function Fact({ label, children }: { label: string; children: ReactNode }) {
  return (
    <div className="flex min-h-11 flex-wrap items-center gap-x-4 px-4 py-1.5 sm:px-5">
      <dt className="w-36 text-muted">{label}</dt>
      <dd className="flex min-w-0 items-center gap-1">{children}</dd>
    </div>
  );
}
