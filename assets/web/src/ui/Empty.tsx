import type { LucideIcon } from 'lucide-react';
import type { ReactNode } from 'react';

interface EmptyProps {
  Icon: LucideIcon;
  title: string;
  children: ReactNode;
  action?: ReactNode;
}

/** Where nothing is yet: what it will be, and what to do next. */
export function Empty({ Icon, title, children, action }: EmptyProps) {
  return (
    <div className="flex flex-col items-center px-6 py-12 text-center">
      <span className="grid size-10 place-items-center rounded-full border border-line bg-sunken">
        <Icon aria-hidden="true" className="size-5 text-muted" strokeWidth={1.5} />
      </span>
      <p className="mt-3 font-semibold">{title}</p>
      <div className="mt-1 max-w-md text-[13px] text-pretty text-muted">{children}</div>
      {action !== undefined && <div className="mt-4 flex flex-wrap justify-center gap-2">{action}</div>}
    </div>
  );
}
