import { useState } from 'react';
import { fieldMessages } from '../../server/problem';
import type { ServiceName } from '../../server/names';
import { Button } from '../../ui/Button';
import { Confirm } from '../../ui/Confirm';
import { Dialog, DialogButtons } from '../../ui/Dialog';
import { Select, TextField } from '../../ui/Field';
import { Problem } from '../../ui/Problem';
import { SecretDialog } from '../../ui/SecretDialog';
import { Time } from '../../ui/Time';
import { KeyText } from './KeyText';
import type { ApiKey } from './mutations';
import { useKeyAction, useRevealKey, useRotateKey } from './mutations';

export type KeyDialog = 'rename' | 'rotate' | 'revoke' | 'delete' | 'reveal';

interface KeyDialogProps {
  service: ServiceName;
  apiKey: ApiKey;
  onClose: () => void;
}

export function OpenKeyDialog({ dialog, ...props }: KeyDialogProps & { dialog: KeyDialog }) {
  switch (dialog) {
    case 'rename':
      return <RenameKey {...props} />;
    case 'rotate':
      return <RotateKey {...props} />;
    case 'revoke':
      return <RevokeKey {...props} />;
    case 'delete':
      return <DeleteKey {...props} />;
    case 'reveal':
      return <RevealKey {...props} />;
  }
}

function RenameKey({ service, apiKey, onClose }: KeyDialogProps) {
  const [name, setName] = useState(apiKey.name);
  const change = useKeyAction(service, onClose);
  return (
    <Dialog title="Rename key" onClose={onClose}>
      <form
        className="grid gap-4"
        onSubmit={(event) => {
          event.preventDefault();
          change.mutate({ do: 'change', key: apiKey, change: { name: name.trim() } });
        }}
      >
        <TextField label="Name" value={name} onChange={setName} maxLength={64} autoComplete="off" errors={fieldMessages(change.error, 'name')} />
        <Problem error={change.error} />
        <DialogButtons>
          <Button onClick={onClose}>Not now</Button>
          <Button type="submit" kind="primary" busy={change.isPending} disabled={name.trim() === ''}>
            Rename
          </Button>
        </DialogButtons>
      </form>
    </Dialog>
  );
}

const OVERLAPS = [
  { value: '0', label: 'None: the old key stops at once' },
  { value: '3600', label: '1 hour' },
  { value: '86400', label: '1 day' },
  { value: '604800', label: '7 days' },
] as const;

function RotateKey({ service, apiKey, onClose }: KeyDialogProps) {
  const [overlap, setOverlap] = useState<(typeof OVERLAPS)[number]['value']>('86400');
  const rotate = useRotateKey(service);
  if (rotate.data !== undefined) {
    const { name, text, is_revealable: again } = rotate.data;
    return (
      <SecretDialog title={`New key for “${name}”`} once={!again} onClose={onClose}>
        {(onCopied) => <KeyText service={service} text={text} once={!again} onCopied={onCopied} />}
      </SecretDialog>
    );
  }
  return (
    <Dialog title={`Rotate “${apiKey.name}”`} onClose={onClose}>
      <form
        className="grid gap-4"
        onSubmit={(event) => {
          event.preventDefault();
          rotate.mutate({ key: apiKey, overlapS: Number(overlap) });
        }}
      >
        <p className="text-[13px] text-pretty">A new key takes its place. The old one goes on working for the overlap, so that nothing breaks while you change over, then expires by itself.</p>
        <Select label="Overlap" value={overlap} options={OVERLAPS} onChange={setOverlap} errors={fieldMessages(rotate.error, 'overlap_s')} />
        <Problem error={rotate.error} />
        <DialogButtons>
          <Button onClick={onClose}>Not now</Button>
          <Button type="submit" kind="primary" busy={rotate.isPending}>
            Rotate
          </Button>
        </DialogButtons>
      </form>
    </Dialog>
  );
}

function RevokeKey({ service, apiKey, onClose }: KeyDialogProps) {
  const revoke = useKeyAction(service, onClose);
  return (
    <Confirm title={`Revoke “${apiKey.name}”?`} action="Revoke key" busy={revoke.isPending} error={revoke.error} onConfirm={() => revoke.mutate({ do: 'revoke', key: apiKey })} onClose={onClose}>
      Requests with <span className="font-mono">{apiKey.hint}</span> are refused within a second. You can enable it again later.
    </Confirm>
  );
}

function DeleteKey({ service, apiKey, onClose }: KeyDialogProps) {
  const remove = useKeyAction(service, onClose);
  return (
    <Confirm
      title={`Delete “${apiKey.name}”?`}
      name={apiKey.name}
      action="Delete key"
      busy={remove.isPending}
      error={remove.error}
      onConfirm={() => remove.mutate({ do: 'delete', key: apiKey })}
      onClose={onClose}
    >
      Requests with <span className="font-mono">{apiKey.hint}</span> are refused within a second. This cannot be undone; what it was used for stays in the logs.
    </Confirm>
  );
}

function RevealKey({ service, apiKey, onClose }: KeyDialogProps) {
  const reveal = useRevealKey(service);
  return (
    <Dialog title={`Key “${apiKey.name}”`} onClose={onClose}>
      {reveal.data === undefined ? (
        <>
          <p className="text-[13px]">
            Shows the whole key, and notes that in the activity log. It was created on <Time at={apiKey.created_at} show="day" />.
          </p>
          <div className="mt-4">
            <Problem error={reveal.error} />
          </div>
          <DialogButtons>
            <Button onClick={onClose}>Not now</Button>
            <Button kind="primary" busy={reveal.isPending} onClick={() => reveal.mutate(apiKey)}>
              Show the key
            </Button>
          </DialogButtons>
        </>
      ) : (
        <KeyText service={service} text={reveal.data.text} once={false} />
      )}
    </Dialog>
  );
}
