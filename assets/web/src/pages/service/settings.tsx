import { useQuery } from '@tanstack/react-query';
import { useParams } from '@tanstack/react-router';
import { useState } from 'react';
import { count } from '../../server/config';
import { fieldMessages } from '../../server/problem';
import type { ServiceName } from '../../server/names';
import type { Service } from '../../server/queries';
import { configQuery, serviceQuery } from '../../server/queries';
import { Banner } from '../../ui/Banner';
import { Button } from '../../ui/Button';
import { Empty } from '../../ui/Empty';
import { Checkbox, TextArea } from '../../ui/Field';
import { Loaded } from '../../ui/Loaded';
import { Panel } from '../../ui/Panel';
import { Problem } from '../../ui/Problem';
import { Settings as SettingsIcon } from 'lucide-react';
import { useServiceAction } from './mutations';
import type { Edits, Field, Settings } from './settingsEdit';
import { changeOf, changedElsewhere, changedFields, entriesOf, settingsOf, shown, typed, without } from './settingsEdit';

export function ServiceSettings() {
  const { service: name } = useParams({ from: '/account/services/$service' });
  const query = useQuery(serviceQuery(name));
  return (
    <Loaded query={query}>
      {(service) =>
        service.state === 'not_provisioned' ? (
          <Panel title="Settings">
            <Empty Icon={SettingsIcon} title="Nothing to set yet">
              Subscribe first; then burst and the IP allowlist are set here.
            </Empty>
          </Panel>
        ) : (
          <Form key={name} name={name} service={service} />
        )
      }
    </Loaded>
  );
}

/** What is typed stays, whatever changes elsewhere meanwhile. */
function Form({ name, service }: { name: ServiceName; service: Service }) {
  const [edits, setEdits] = useState<Edits>({});
  const config = useQuery(configQuery).data;
  const save = useServiceAction(name);
  const inForce = settingsOf(service);
  const { burst, ip_allowlist_enabled: listOn, ip_allowlist: list } = shown(edits, inForce);
  const changed = changedFields(edits, inForce);
  const elsewhere = changedElsewhere(edits, inForce);
  const small = service.tier === 'starter';
  const set = <F extends Field>(field: F, value: Settings[F]) => setEdits((before) => typed(before, inForce, field, value));
  return (
    <form
      className="grid gap-6"
      onSubmit={(event) => {
        event.preventDefault();
        const sent = edits;
        save.mutate({ do: 'settings', change: changeOf(edits, inForce) }, { onSuccess: () => setEdits((now) => without(now, changed, sent)) });
      }}
    >
      {small && (
        <Banner tone="info" title="Burst and the IP allowlist are part of Pro and Enterprise">
          Change the tier on the overview to use them.
        </Banner>
      )}
      <Panel title="Burst">
        <div className="p-4 sm:p-5">
          <Checkbox
            label="Serve requests above the guaranteed rate"
            hint="As far as there is room. They are billed like others; without burst they are refused with 429 and cost nothing."
            checked={burst}
            disabled={small && !service.burst}
            onChange={(on) => set('burst', on)}
          />
          <Messages error={save.error} field="burst" />
        </div>
      </Panel>
      <Panel title="IP allowlist">
        <div className="grid gap-4 p-4 sm:p-5">
          <Checkbox
            label="Only these addresses may use keys of this service"
            hint="Requests from elsewhere are refused with 403 and cost nothing."
            checked={listOn}
            disabled={small && !service.ip_allowlist_enabled}
            onChange={(on) => set('ip_allowlist_enabled', on)}
          />
          <TextArea
            label="Addresses"
            value={list}
            onChange={(text) => set('ip_allowlist', text)}
            placeholder={'203.0.113.7\n198.51.100.0/24\n2001:db8::/48'}
            disabled={small}
            errors={fieldMessages(save.error, 'ip_allowlist')}
            hint={`IPv4 or IPv6, one a line, networks as CIDR.${config === undefined ? '' : ` ${count(config, 'fipv4_incl')} are included, at most ${count(config, 'fmax_ipv4')}.`}`}
          />
        </div>
      </Panel>
      {elsewhere.length > 0 && !save.isPending && (
        <Banner tone="warn" role="status" title="Changed elsewhere" action={<Button onClick={() => setEdits((now) => without(now, elsewhere))}>Take what is in force</Button>}>
          <p>What you typed is kept, and replaces this when you save:</p>
          <ul className="list-disc pl-5">
            {elsewhere.map((field) => (
              <li key={field} className="break-words">
                {inForceText(field, inForce)}
              </li>
            ))}
          </ul>
        </Banner>
      )}
      <Problem error={save.error} />
      <div className="flex gap-2">
        <Button type="submit" kind="primary" busy={save.isPending} disabled={changed.length === 0}>
          Save settings
        </Button>
        {changed.length > 0 && (
          <Button
            onClick={() => {
              setEdits({});
              save.reset();
            }}
          >
            Discard
          </Button>
        )}
      </div>
    </form>
  );
}

function inForceText(field: Field, inForce: Settings): string {
  switch (field) {
    case 'burst':
      return `Burst is ${inForce.burst ? 'on' : 'off'}`;
    case 'ip_allowlist_enabled':
      return `The IP allowlist is ${inForce.ip_allowlist_enabled ? 'on' : 'off'}`;
    case 'ip_allowlist':
      return `Addresses: ${entriesOf(inForce.ip_allowlist).join(', ') || 'none'}`;
  }
}

function Messages({ error, field }: { error: Error | null; field: string }) {
  return fieldMessages(error, field).map((message) => (
    <p key={message} className="mt-1 text-xs text-bad">
      {message}
    </p>
  ));
}
