import { LoaderCircle } from 'lucide-react';
import type { ButtonHTMLAttributes, ReactNode } from 'react';

type Kind = 'primary' | 'default' | 'danger' | 'quiet';

const LOOK: Record<Kind, string> = {
  primary: 'border-brand bg-brand text-on-brand hover:brightness-95',
  default: 'border-line bg-raised text-ink hover:bg-sunken hover:border-muted/50',
  danger: 'border-bad bg-bad-fill text-bad hover:brightness-95',
  quiet: 'border-transparent text-link hover:bg-selected',
};

export interface ButtonProps extends ButtonHTMLAttributes<HTMLButtonElement> {
  kind?: Kind;
  /** While it works it cannot be pressed again, and says so. */
  busy?: boolean;
  icon?: ReactNode;
}

export function buttonClass(kind: Kind = 'default'): string {
  return `inline-flex h-8 shrink-0 items-center justify-center gap-1.5 rounded border px-3 text-[13px] font-medium whitespace-nowrap disabled:cursor-not-allowed disabled:opacity-50 ${LOOK[kind]}`;
}

export function Button({ kind = 'default', busy = false, icon, children, className = '', disabled, ...rest }: ButtonProps) {
  return (
    <button type="button" {...rest} disabled={disabled === true || busy} aria-busy={busy} className={`${buttonClass(kind)} ${className}`}>
      {busy ? <LoaderCircle aria-hidden="true" className="size-3.5 motion-safe:animate-spin" strokeWidth={2} /> : icon}
      {children}
    </button>
  );
}
