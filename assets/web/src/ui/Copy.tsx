import { Check, Copy as CopyIcon } from 'lucide-react';
import { useEffect, useState } from 'react';

interface CopyProps {
  text: string;
  /** What is copied, for the button's name: "address". */
  what: string;
  label?: string;
  onCopied?: (() => void) | undefined;
}

export function Copy({ text, what, label, onCopied }: CopyProps) {
  const [done, setDone] = useState(false);
  useEffect(() => {
    if (!done) return undefined;
    const timer = setTimeout(() => setDone(false), 2000);
    return () => clearTimeout(timer);
  }, [done]);
  const Icon = done ? Check : CopyIcon;
  return (
    <button
      type="button"
      onClick={() =>
        void navigator.clipboard.writeText(text).then(() => {
          setDone(true);
          onCopied?.();
        })
      }
      className={`inline-flex shrink-0 items-center justify-center gap-1.5 rounded text-[13px] ${label === undefined ? 'size-7 text-muted hover:bg-selected hover:text-ink' : 'h-8 border border-line bg-raised px-3 font-medium hover:bg-sunken'}`}
      aria-label={label === undefined ? `Copy ${what}` : undefined}
    >
      <Icon aria-hidden="true" className={`size-3.5 ${done ? 'text-good' : ''}`} strokeWidth={1.75} />
      {label !== undefined && (done ? 'Copied' : label)}
      <span role="status" className="sr-only">
        {done ? 'Copied' : ''}
      </span>
    </button>
  );
}

/** A secret or a command, with a button to copy it. */
export function CopyBox({ text, what, wrap = false, onCopied }: Omit<CopyProps, 'label'> & { wrap?: boolean }) {
  return (
    <div className="flex items-start gap-2 rounded border border-line bg-sunken py-1.5 pl-3 pr-1.5">
      <pre tabIndex={0} className={`min-w-0 flex-1 overflow-x-auto py-1 font-mono text-xs ${wrap ? 'break-all whitespace-pre-wrap' : ''}`}>
        {text}
      </pre>
      <Copy text={text} what={what} onCopied={onCopied} />
    </div>
  );
}
