import { CircleAlert, Info, TriangleAlert } from 'lucide-react';
import type { ReactNode } from 'react';

const LOOK = {
  info: { Icon: Info, box: 'border-info-line bg-info', ink: 'text-link' },
  warn: { Icon: TriangleAlert, box: 'border-warn-line bg-warn-fill', ink: 'text-warn' },
  bad: { Icon: CircleAlert, box: 'border-bad-line bg-bad-fill', ink: 'text-bad' },
};

interface BannerProps {
  tone: keyof typeof LOOK;
  title: ReactNode;
  children?: ReactNode;
  action?: ReactNode;
  /** For what appears while the page is open, so that it is read out. */
  role?: 'alert' | 'status';
}

export function Banner({ tone, title, children, action, role }: BannerProps) {
  const { Icon, box, ink } = LOOK[tone];
  return (
    <div role={role} className={`flex flex-wrap items-start gap-x-3 gap-y-2 rounded border px-4 py-3 ${box}`}>
      <Icon aria-hidden="true" className={`mt-0.5 size-4 shrink-0 ${ink}`} strokeWidth={1.75} />
      <div className="min-w-0 flex-1 basis-48">
        <p className={`text-[13px] font-semibold ${ink}`}>{title}</p>
        {children !== undefined && <div className="mt-0.5 text-[13px] text-ink">{children}</div>}
      </div>
      {action !== undefined && <div className="flex flex-wrap gap-2">{action}</div>}
    </div>
  );
}
