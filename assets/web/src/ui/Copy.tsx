import { Check, Copy as CopyIcon } from 'lucide-react';
import { useEffect, useState } from 'react';

interface CopyProps {
  text: string;
  /** What is copied, for the button's name: "address". */
  what: string;
  onCopied?: (() => void) | undefined;
}

export function Copy({ text, what, onCopied }: CopyProps) {
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
      className="inline-flex size-7 shrink-0 items-center justify-center rounded text-muted hover:bg-selected hover:text-ink"
      aria-label={`Copy ${what}`}
    >
      <Icon aria-hidden="true" className={`size-3.5 ${done ? 'text-good' : ''}`} strokeWidth={1.75} />
      <span role="status" className="sr-only">
        {done ? 'Copied' : ''}
      </span>
    </button>
  );
}

/** A secret or a command, with a button to copy it. */
export function CopyBox({ text, what, wrap = false, onCopied }: CopyProps & { wrap?: boolean }) {
  return (
    <div className="flex items-start gap-2 rounded border border-line bg-sunken py-1.5 pl-3 pr-1.5">
      <pre tabIndex={0} className={`min-w-0 flex-1 overflow-x-auto py-1 font-mono text-xs ${wrap ? 'break-all whitespace-pre-wrap' : ''}`}>
        {text}
      </pre>
      <Copy text={text} what={what} onCopied={onCopied} />
    </div>
  );
}
