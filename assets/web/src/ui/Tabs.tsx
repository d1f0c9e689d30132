import type { ReactNode } from 'react';

/** Links in a row; each is a page of its own, so they are navigation. */
export function Tabs({ label, children }: { label: string; children: ReactNode }) {
  return (
    <nav aria-label={label} className="mt-5 overflow-x-auto border-b border-line">
      <ul className="flex gap-5">{children}</ul>
    </nav>
  );
}

export const TAB = 'block h-9 border-b-2 border-transparent pt-1.5 text-[13px] whitespace-nowrap text-muted hover:text-ink';
export const TAB_ACTIVE = { className: '!border-link !text-link font-medium' };
