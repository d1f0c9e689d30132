import type { ReactNode } from 'react';

/** A row of large numbers. */
export function Figures({ children, columns = 4 }: { children: ReactNode; columns?: 2 | 3 | 4 }) {
  const grid = { 2: 'grid-cols-2', 3: 'sm:grid-cols-3', 4: 'grid-cols-2 lg:grid-cols-4' }[columns];
  return <dl className={`figures grid ${grid}`}>{children}</dl>;
}

interface FigureProps {
  label: ReactNode;
  note?: ReactNode;
  children: ReactNode;
  dot?: string;
}

export function Figure({ label, note, children, dot }: FigureProps) {
  return (
    <div className="min-w-0 px-4 py-4 sm:px-5">
      <dt className="flex items-center gap-1.5 text-[13px] text-muted">
        {dot !== undefined && <span aria-hidden="true" className={`inline-block size-2 rounded-full ${dot}`} />}
        {label}
      </dt>
      <dd className="mt-1 truncate text-[22px] leading-8 sm:text-[26px] sm:leading-9 font-semibold tracking-tight">{children}</dd>
      <dd className="min-h-4 text-xs text-muted">{note}</dd>
    </div>
  );
}
