import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { dollars } from '../../server/config';
import { fieldMessages } from '../../server/problem';
import type { ServiceName } from '../../server/names';
import { SERVICE_LABEL } from '../../server/names';
import { configQuery } from '../../server/queries';
import { Button } from '../../ui/Button';
import { Dialog, DialogButtons } from '../../ui/Dialog';
import { Checkbox, Select, TextField } from '../../ui/Field';
import { Money } from '../../ui/Money';
import { Problem } from '../../ui/Problem';
import { SecretDialog } from '../../ui/SecretDialog';
import { KeyText } from './KeyText';
import { useCreateKey } from './mutations';

const DAY_MS = 86_400_000;
const EXPIRIES = [
  { value: '', label: 'Never' },
  { value: '7', label: 'In 7 days' },
  { value: '30', label: 'In 30 days' },
  { value: '90', label: 'In 90 days' },
  { value: '365', label: 'In a year' },
] as const;
const NETWORKS = [
  { value: 'mainnet', label: 'Mainnet' },
  { value: 'testnet', label: 'Testnet' },
] as const;

interface CreateKeyProps {
  service: ServiceName;
  /** Whether the next key costs more than the tier. */
  extra: boolean;
  onClose: () => void;
}

export function CreateKey({ service, extra, onClose }: CreateKeyProps) {
  const [name, setName] = useState('');
  const [network, setNetwork] = useState<'mainnet' | 'testnet'>('mainnet');
  const [days, setDays] = useState<(typeof EXPIRIES)[number]['value']>('');
  const [revealable, setRevealable] = useState(false);
  const config = useQuery(configQuery).data;
  const create = useCreateKey(service);
  if (create.data !== undefined) {
    const { name: named, text, is_revealable: again } = create.data;
    return (
      <SecretDialog title={`Key “${named}” created`} once={!again} onClose={onClose}>
        {(onCopied) => <KeyText service={service} text={text} once={!again} onCopied={onCopied} />}
      </SecretDialog>
    );
  }
  return (
    <Dialog title={`Create a ${SERVICE_LABEL[service]} key`} onClose={onClose}>
      <form
        className="grid gap-4"
        onSubmit={(event) => {
          event.preventDefault();
          create.mutate({
            network,
            is_revealable: revealable,
            ...(name.trim() === '' ? {} : { name: name.trim() }),
            ...(days === '' ? {} : { expires_at: new Date(Date.now() + Number(days) * DAY_MS).toISOString() }),
          });
        }}
      >
        <TextField label="Name" value={name} onChange={setName} placeholder="production" maxLength={64} autoComplete="off" errors={fieldMessages(create.error, 'name')} hint="What it is for, in your words." />
        <div className="grid gap-4 sm:grid-cols-2">
          <Select label="Network" value={network} options={NETWORKS} onChange={setNetwork} errors={fieldMessages(create.error, 'network')} />
          <Select label="Expires" value={days} options={EXPIRIES} onChange={setDays} errors={fieldMessages(create.error, 'expires_at')} />
        </div>
        <Checkbox label="Can be shown again" hint="Its text is kept encrypted, and can be revealed later. Otherwise it is shown once." checked={revealable} onChange={setRevealable} />
        {extra && config !== undefined && (
          <p className="text-[13px] text-muted">
            Your tier’s keys are in use: this one adds <Money micros={dollars(config, 'fadd_apikey_usd')} /> a month.
          </p>
        )}
        <Problem error={create.error} />
        <DialogButtons>
          <Button onClick={onClose}>Not now</Button>
          <Button type="submit" kind="primary" busy={create.isPending}>
            Create key
          </Button>
        </DialogButtons>
      </form>
    </Dialog>
  );
}
