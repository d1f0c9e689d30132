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
import { Settings } from 'lucide-react';
import { useServiceAction } from './mutations';

export function ServiceSettings() {
  const { service: name } = useParams({ from: '/account/services/$service' });
  const query = useQuery(serviceQuery(name));
  return (
    <Loaded query={query}>
      {(service) =>
        service.state === 'not_provisioned' ? (
          <Panel title="Settings">
            <Empty Icon={Settings} title="Nothing to set yet">
              Subscribe first; then burst and the IP allowlist are set here.
            </Empty>
          </Panel>
        ) : (
          <Form key={`${service.burst} ${service.ip_allowlist_enabled} ${service.ip_allowlist.join()}`} name={name} service={service} />
        )
      }
    </Loaded>
  );
}

function Form({ name, service }: { name: ServiceName; service: Service }) {
  const [burst, setBurst] = useState(service.burst);
  const [listOn, setListOn] = useState(service.ip_allowlist_enabled);
  const [list, setList] = useState(service.ip_allowlist.join('\n'));
  const config = useQuery(configQuery).data;
  const save = useServiceAction(name);
  const entries = list.split(/[\s,]+/).filter((entry) => entry !== '');
  const changed = burst !== service.burst || listOn !== service.ip_allowlist_enabled || entries.join() !== service.ip_allowlist.join();
  const small = service.tier === 'starter';
  return (
    <form
      className="grid gap-6"
      onSubmit={(event) => {
        event.preventDefault();
        save.mutate({ do: 'settings', change: { burst, ip_allowlist_enabled: listOn, ip_allowlist: entries } });
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
            onChange={setBurst}
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
            onChange={setListOn}
          />
          <TextArea
            label="Addresses"
            value={list}
            onChange={setList}
            placeholder={'203.0.113.7\n198.51.100.0/24\n2001:db8::/48'}
            disabled={small}
            errors={fieldMessages(save.error, 'ip_allowlist')}
            hint={`IPv4 or IPv6, one a line, networks as CIDR.${config === undefined ? '' : ` ${count(config, 'fipv4_incl')} are included, at most ${count(config, 'fmax_ipv4')}.`}`}
          />
        </div>
      </Panel>
      <Problem error={save.error} />
      <div className="flex gap-2">
        <Button type="submit" kind="primary" busy={save.isPending} disabled={!changed}>
          Save settings
        </Button>
        {changed && (
          <Button
            onClick={() => {
              setBurst(service.burst);
              setListOn(service.ip_allowlist_enabled);
              setList(service.ip_allowlist.join('\n'));
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

function Messages({ error, field }: { error: Error | null; field: string }) {
  return fieldMessages(error, field).map((message) => (
    <p key={message} className="mt-1 text-xs text-bad">
      {message}
    </p>
  ));
}
