import type { ReactNode } from 'react';
import { useState } from 'react';
import { Button } from './Button';
import { Dialog, DialogButtons } from './Dialog';
import { TextField } from './Field';
import { Problem } from './Problem';

interface ConfirmProps {
  title: string;
  /** What happens, and what cannot be undone. */
  children: ReactNode;
  /** To be typed before it is done; for what cannot be undone. */
  name?: string;
  action: string;
  busy: boolean;
  error: Error | null;
  onConfirm: () => void;
  onClose: () => void;
}

export function Confirm({ title, children, name, action, busy, error, onConfirm, onClose }: ConfirmProps) {
  const [typed, setTyped] = useState('');
  return (
    <Dialog title={title} onClose={onClose}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          onConfirm();
        }}
      >
        <div className="grid gap-4">
          <div className="text-[13px] text-pretty">{children}</div>
          {name !== undefined && (
            <TextField label={<>Type <strong className="font-mono">{name}</strong> to confirm</>} value={typed} onChange={setTyped} autoComplete="off" />
          )}
          <Problem error={error} />
        </div>
        <DialogButtons>
          <Button onClick={onClose}>Keep it as it is</Button>
          <Button type="submit" kind="danger" busy={busy} disabled={name !== undefined && typed !== name}>
            {action}
          </Button>
        </DialogButtons>
      </form>
    </Dialog>
  );
}
