import type { ReactNode } from 'react';

interface PanelProps {
  title: string;
  aside?: ReactNode;
  className?: string;
  children: ReactNode;
}

/** A bordered card with a small heading; the heading names it for assistive technology too. */
export function Panel({ title, aside, className = '', children }: PanelProps) {
  return (
    <section aria-label={title} className={`panel min-w-0 rounded border border-line bg-raised ${className}`}>
      <div className="flex min-h-11 flex-wrap items-center justify-between gap-x-3 gap-y-2 border-b border-line px-4 py-2 sm:px-5">
        <h2 className="text-[13px] font-semibold">{title}</h2>
        {aside}
      </div>
      {children}
    </section>
  );
}
