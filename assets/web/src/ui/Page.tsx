import type { ReactNode } from 'react';
import { useEffect } from 'react';

interface PageProps {
  /** The group that the page belongs to. */
  eyebrow: ReactNode;
  title: string;
  /** What of it is shown, such as a tab; for the browser's title. */
  part?: string | undefined;
  /** One sentence. */
  about: ReactNode;
  actions?: ReactNode;
  /** Between the head and the page, such as tabs. */
  tabs?: ReactNode;
  children: ReactNode;
}

export function Page({ eyebrow, title, part, about, actions, tabs, children }: PageProps) {
  useEffect(() => {
    document.title = [...(part === undefined ? [] : [part]), title, 'suiftly'].join(' · ');
  }, [part, title]);
  return (
    <div className="mx-auto max-w-[1200px] px-4 pb-20 pt-8 lg:px-8">
      <div className="flex flex-wrap items-start justify-between gap-x-6 gap-y-3 lg:flex-nowrap">
        <div className="min-w-0">
          <p className="text-xs text-muted">{eyebrow}</p>
          <h1 className="mt-1 text-[28px] leading-9 font-semibold tracking-tight sm:text-[32px] sm:leading-10">{title}</h1>
          <p className="mt-1 max-w-2xl text-pretty text-muted">{about}</p>
        </div>
        {actions !== undefined && <div className="no-print flex flex-wrap gap-2 sm:pt-6 lg:shrink-0">{actions}</div>}
      </div>
      {tabs}
      <div className="mt-6 grid grid-cols-[minmax(0,1fr)] gap-6">{children}</div>
    </div>
  );
}
