import type { ReactNode } from 'react';
import { useState } from 'react';
import { Banner } from './Banner';
import { Button } from './Button';
import { Dialog, DialogButtons } from './Dialog';

interface SecretDialogProps {
  title: string;
  /** Whether it cannot be shown again: then closing before it was copied asks first. */
  once: boolean;
  onClose: () => void;
  /** Shows the secret, and tells when it was copied. */
  children: (onCopied: () => void) => ReactNode;
}

/** A secret that was just made. */
export function SecretDialog({ title, once, onClose, children }: SecretDialogProps) {
  const [copied, setCopied] = useState(false);
  const [asking, setAsking] = useState(false);
  const onCopied = () => setCopied(true);
  return (
    <Dialog title={title} onClose={() => (once && !copied ? setAsking(true) : onClose())}>
      <div onCopy={onCopied}>{children(onCopied)}</div>
      {asking && !copied && (
        <div className="mt-4">
          <Banner tone="bad" role="alert" title="Copied it?" action={<Button onClick={onClose}>Close without a copy</Button>}>
            Once this is closed, it cannot be shown again.
          </Banner>
        </div>
      )}
      <DialogButtons>
        <Button kind="primary" onClick={onClose}>
          Done
        </Button>
      </DialogButtons>
    </Dialog>
  );
}
