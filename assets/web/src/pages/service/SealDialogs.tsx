import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import type { Schemas } from '../../server/api';
import { dollars } from '../../server/config';
import { fieldMessages } from '../../server/problem';
import { configQuery } from '../../server/queries';
import { Button } from '../../ui/Button';
import { Confirm } from '../../ui/Confirm';
import { Dialog, DialogButtons } from '../../ui/Dialog';
import { TextField } from '../../ui/Field';
import { Money } from '../../ui/Money';
import { Problem } from '../../ui/Problem';
import { useSealAction } from './sealMutations';

type SealKey = Schemas['SealKey'];
type SealPackage = Schemas['SealPackage'];

export type SealDialog = { open: 'rename' | 'turn-off' | 'delete' | 'package' } | { open: 'rename-package' | 'remove-package'; package: SealPackage };

interface SealDialogProps {
  sealKey: SealKey;
  onClose: () => void;
}

export function OpenSealDialog({ dialog, ...props }: SealDialogProps & { dialog: SealDialog }) {
  switch (dialog.open) {
    case 'rename':
      return <RenameKey {...props} />;
    case 'turn-off':
      return <TurnKeyOff {...props} />;
    case 'delete':
      return <DeleteKey {...props} />;
    case 'package':
      return <AddPackage {...props} />;
    case 'rename-package':
      return <RenamePackage {...props} one={dialog.package} />;
    case 'remove-package':
      return <RemovePackage {...props} one={dialog.package} />;
  }
}

export function CreateSealKey({ extra, onClose }: { extra: boolean; onClose: () => void }) {
  const config = useQuery(configQuery).data;
  const create = useSealAction(onClose);
  return (
    <NameForm title="Create a Seal key" initial="" placeholder="vault" action="Create Seal key" mutation={create} onName={(name) => create.mutate({ do: 'create', body: name === '' ? {} : { name } })} onClose={onClose}>
      It is registered on the chain; that takes a few seconds.
      {extra && config !== undefined && (
        <>
          {' '}
          Your tier’s Seal keys are in use: this one adds <Money micros={dollars(config, 'fadd_skey_usd')} /> a month.
        </>
      )}
    </NameForm>
  );
}

function RenameKey({ sealKey, onClose }: SealDialogProps) {
  const change = useSealAction(onClose);
  return <NameForm title="Rename Seal key" initial={sealKey.name} action="Rename" mutation={change} onName={(name) => change.mutate({ do: 'change', key: sealKey, change: { name } })} onClose={onClose} />;
}

function RenamePackage({ sealKey, one, onClose }: SealDialogProps & { one: SealPackage }) {
  const change = useSealAction(onClose);
  return <NameForm title="Rename package" initial={one.name} action="Rename" mutation={change} onName={(name) => change.mutate({ do: 'rename-package', key: sealKey, package: one, name })} onClose={onClose} />;
}

interface NameFormProps {
  title: string;
  initial: string;
  placeholder?: string;
  action: string;
  mutation: { isPending: boolean; error: Error | null };
  onName: (name: string) => void;
  onClose: () => void;
  children?: React.ReactNode;
}

function NameForm({ title, initial, placeholder, action, mutation, onName, onClose, children }: NameFormProps) {
  const [name, setName] = useState(initial);
  return (
    <Dialog title={title} onClose={onClose}>
      <form
        className="grid gap-4"
        onSubmit={(event) => {
          event.preventDefault();
          onName(name.trim());
        }}
      >
        <TextField label="Name" value={name} onChange={setName} maxLength={64} placeholder={placeholder} autoComplete="off" errors={fieldMessages(mutation.error, 'name')} />
        {children !== undefined && <p className="text-[13px] text-muted">{children}</p>}
        <Problem error={mutation.error} />
        <DialogButtons>
          <Button onClick={onClose}>Not now</Button>
          <Button type="submit" kind="primary" busy={mutation.isPending}>
            {action}
          </Button>
        </DialogButtons>
      </form>
    </Dialog>
  );
}

function AddPackage({ sealKey, onClose }: SealDialogProps) {
  const [address, setAddress] = useState('');
  const [name, setName] = useState('');
  const add = useSealAction(onClose);
  return (
    <Dialog title={`Add a package to “${sealKey.name}”`} onClose={onClose}>
      <form
        className="grid gap-4"
        onSubmit={(event) => {
          event.preventDefault();
          add.mutate({ do: 'add-package', key: sealKey, body: { address: address.trim(), ...(name.trim() === '' ? {} : { name: name.trim() }) } });
        }}
      >
        <TextField label="Package address" value={address} onChange={setAddress} placeholder="0x…" autoComplete="off" spellCheck={false} errors={fieldMessages(add.error, 'address')} hint="Where it is published: 0x and 64 hexadecimal digits." />
        <TextField label="Name" value={name} onChange={setName} maxLength={64} autoComplete="off" errors={fieldMessages(add.error, 'name')} hint="May be left empty." />
        <Problem error={add.error} />
        <DialogButtons>
          <Button onClick={onClose}>Not now</Button>
          <Button type="submit" kind="primary" busy={add.isPending} disabled={address.trim() === ''}>
            Add package
          </Button>
        </DialogButtons>
      </form>
    </Dialog>
  );
}

function TurnKeyOff({ sealKey, onClose }: SealDialogProps) {
  const change = useSealAction(onClose);
  return (
    <Confirm
      title={`Turn “${sealKey.name}” off?`}
      action="Turn Seal key off"
      busy={change.isPending}
      error={change.error}
      onConfirm={() => change.mutate({ do: 'change', key: sealKey, change: { is_enabled: false } })}
      onClose={onClose}
    >
      Key servers stop answering for it: until you turn it on again, nobody can decrypt what was encrypted with it.
    </Confirm>
  );
}

function DeleteKey({ sealKey, onClose }: SealDialogProps) {
  const remove = useSealAction(onClose);
  return (
    <Confirm title={`Delete “${sealKey.name}”?`} name={sealKey.name} action="Delete Seal key" busy={remove.isPending} error={remove.error} onConfirm={() => remove.mutate({ do: 'delete', key: sealKey })} onClose={onClose}>
      Key servers stop answering for it, and what was encrypted with it cannot be decrypted any more. Its derivation index is never given out again. This cannot be undone.
    </Confirm>
  );
}

function RemovePackage({ sealKey, one, onClose }: SealDialogProps & { one: SealPackage }) {
  const remove = useSealAction(onClose);
  return (
    <Confirm title={`Remove “${one.name}”?`} action="Remove package" busy={remove.isPending} error={remove.error} onConfirm={() => remove.mutate({ do: 'remove-package', key: sealKey, package: one })} onClose={onClose}>
      Key servers stop answering for this package. It can be added again.
    </Confirm>
  );
}
