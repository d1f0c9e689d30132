import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { api, ask } from '../../server/api';
import { fieldMessages } from '../../server/problem';
import { Banner } from '../../ui/Banner';
import { Button } from '../../ui/Button';
import { CopyBox } from '../../ui/Copy';
import { Dialog, DialogButtons } from '../../ui/Dialog';
import { Checkbox, Select, TextField } from '../../ui/Field';
import { Problem } from '../../ui/Problem';
import { SecretDialog } from '../../ui/SecretDialog';

const SCOPES = [
  { part: 'account', label: 'Account', write: true },
  { part: 'services', label: 'Services', write: true },
  { part: 'keys', label: 'API keys', write: true },
  { part: 'billing', label: 'Billing', write: true },
  { part: 'traffic', label: 'Traffic', write: false },
  { part: 'activity', label: 'Activity', write: false },
] as const;
const LIVES = [
  { value: '7', label: '7 days' },
  { value: '30', label: '30 days' },
  { value: '90', label: '90 days' },
  { value: '365', label: 'A year' },
] as const;

export function CreateToken({ onClose }: { onClose: () => void }) {
  const client = useQueryClient();
  const [name, setName] = useState('');
  const [days, setDays] = useState<(typeof LIVES)[number]['value']>('90');
  const [scopes, setScopes] = useState<ReadonlySet<string>>(new Set());
  const create = useMutation({
    mutationFn: () => ask(api.POST('/api/auth/tokens', { body: { name: name.trim(), scopes: [...scopes], expires_in_days: Number(days) } })),
    onSuccess: () => client.invalidateQueries({ queryKey: ['tokens'] }),
    // The text of a token is not kept once the dialog is closed.
    gcTime: 0,
  });
  const toggle = (scope: string, on: boolean) => {
    const next = new Set(scopes);
    if (on) next.add(scope);
    else next.delete(scope);
    setScopes(next);
  };
  if (create.data !== undefined) {
    const { name: named, text } = create.data;
    return (
      <SecretDialog title={`Token “${named}” created`} once onClose={onClose}>
        {(onCopied) => (
          <div className="grid gap-4">
            <Banner tone="warn" title="Copy it now: it is shown only once" />
            <CopyBox text={text} what="token" wrap onCopied={onCopied} />
            <CopyBox text={`curl -H 'Authorization: Bearer ${text}' \\\n  ${window.location.origin}/api/customer`} what="command" />
          </div>
        )}
      </SecretDialog>
    );
  }
  return (
    <Dialog title="Create an API token" onClose={onClose}>
      <form
        className="grid gap-4"
        onSubmit={(event) => {
          event.preventDefault();
          create.mutate();
        }}
      >
        <div className="grid gap-4 sm:grid-cols-2">
          <TextField label="Name" value={name} onChange={setName} maxLength={64} autoComplete="off" placeholder="billing export" errors={fieldMessages(create.error, 'name')} />
          <Select label="Lasts for" value={days} options={LIVES} onChange={setDays} errors={fieldMessages(create.error, 'expires_in_days')} />
        </div>
        <fieldset>
          <legend className="text-[13px] font-medium">What it may be used for</legend>
          <div className="mt-2 divide-y divide-line rounded border border-line">
            {SCOPES.map(({ part, label, write }) => (
              <div key={part} className="grid grid-cols-[minmax(0,1fr)_auto_auto] items-center gap-x-6 px-3 py-2">
                <span className="text-[13px]">{label}</span>
                <Checkbox label={<>Read<span className="sr-only"> {label}</span></>} checked={scopes.has(`${part}.read`) || scopes.has(`${part}.write`)} disabled={scopes.has(`${part}.write`)} onChange={(on) => toggle(`${part}.read`, on)} />
                {write ? <Checkbox label={<>Change<span className="sr-only"> {label}</span></>} checked={scopes.has(`${part}.write`)} onChange={(on) => toggle(`${part}.write`, on)} /> : <span className="w-[76px]" />}
              </div>
            ))}
          </div>
          {fieldMessages(create.error, 'scopes').map((message) => (
            <p key={message} className="mt-1 text-xs text-bad">
              {message}
            </p>
          ))}
        </fieldset>
        <Problem error={create.error} />
        <DialogButtons>
          <Button onClick={onClose}>Not now</Button>
          <Button type="submit" kind="primary" busy={create.isPending} disabled={name.trim() === '' || scopes.size === 0}>
            Create token
          </Button>
        </DialogButtons>
      </form>
    </Dialog>
  );
}
