import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { Ellipsis, KeyRound, Plus } from 'lucide-react';
import { useMemo, useState } from 'react';
import { NOT_MEASURED, formatCount } from '../../format';
import type { Schemas } from '../../server/api';
import type { ServiceName } from '../../server/names';
import type { Service } from '../../server/queries';
import { SERVICE_LABEL } from '../../server/names';
import { isUpdating, keyUseQuery, keysQuery } from '../../server/queries';
import { Badge } from '../../ui/Badge';
import { Button, buttonClass } from '../../ui/Button';
import { Empty } from '../../ui/Empty';
import { MENU_ITEM, Menu } from '../../ui/Menu';
import { PagedList, rowsOf } from '../../ui/PagedList';
import { Panel } from '../../ui/Panel';
import { Problem } from '../../ui/Problem';
import { Lines, NumberLine } from '../../ui/Skeleton';
import { StateBadge } from '../../ui/StateBadge';
import type { Column } from '../../ui/Table';
import { Table } from '../../ui/Table';
import { Time } from '../../ui/Time';
import { Updating } from '../../ui/Updating';
import { CreateKey } from './CreateKey';
import type { KeyDialog } from './KeyDialogs';
import { OpenKeyDialog } from './KeyDialogs';
import type { ApiKey } from './mutations';
import { useKeyAction } from './mutations';

interface KeysPanelProps {
  name: ServiceName;
  service: Service;
  title?: string;
}

/** The keys of a service with how they are used, and everything that can be done to them. */
export function KeysPanel({ name, service, title = 'API keys' }: KeysPanelProps) {
  const keys = useInfiniteQuery(keysQuery(name));
  const { data: use, isError: noUse } = useQuery(keyUseQuery(name));
  const [creating, setCreating] = useState(false);
  const [opened, setOpened] = useState<{ dialog: KeyDialog; key: ApiKey }>();
  const enable = useKeyAction(name);
  const { mutate: act } = enable;
  const columns = useMemo(
    () =>
      columnsOf(
        name,
        use,
        noUse ? NOT_MEASURED : <NumberLine />,
        (dialog, key) => setOpened({ dialog, key }),
        (key) => act({ do: 'enable', key }),
      ),
    [name, use, noUse, act],
  );
  const first = keys.data?.pages[0];
  const rows = rowsOf(keys);
  const full = first !== undefined && rows.length >= first.max;
  const create = (
    <Button kind="primary" icon={<Plus aria-hidden="true" className="size-3.5" strokeWidth={2} />} disabled={full || first === undefined || service.awaits_payment} onClick={() => setCreating(true)}>
      Create key
    </Button>
  );
  return (
    <Panel
      title={title}
      aside={
        <div className="flex items-center gap-3">
          {rows.length > 0 && <Propagation service={service} />}
          {first !== undefined && <Allowance count={rows.length} included={first.included} max={first.max} />}
          {rows.length > 0 && create}
        </div>
      }
    >
      {enable.error !== null && (
        <div className="p-4">
          <Problem error={enable.error} />
        </div>
      )}
      <PagedList pages={keys} skeleton={<Lines rows={3} />} more="Load more">
        {(loaded) => (
          <Table
            caption={`API keys of ${SERVICE_LABEL[name]}`}
            columns={columns}
            rows={loaded}
            rowKey={({ api_key_id: id }) => id}
            empty={<NoKeys service={service} name={name} action={create} />}
          />
        )}
      </PagedList>
      {creating && <CreateKey service={name} extra={first !== undefined && rows.length >= first.included} onClose={() => setCreating(false)} />}
      {opened !== undefined && <OpenKeyDialog dialog={opened.dialog} service={name} apiKey={opened.key} onClose={() => setOpened(undefined)} />}
    </Panel>
  );
}

/** At how many gateways the keys are in force as they are listed; the network's page tells of each. */
function Propagation({ service }: { service: Service }) {
  if (isUpdating(service)) return <Updating />;
  const { in_force_at: current, gateways } = service;
  const missing = current < gateways;
  return (
    <Link to="/network" className="hover:underline max-sm:hidden" title={missing ? 'A gateway that does not answer may still work with what was before.' : 'How the gateways are'}>
      {service.sync === 'synced' ? (
        <Badge tone={missing ? 'warn' : 'good'}>
          In force at {formatCount(current)} of {formatCount(gateways)}
        </Badge>
      ) : (
        <Badge tone="idle">No gateway reached</Badge>
      )}
    </Link>
  );
}

function Allowance({ count, included, max }: { count: number; included: number; max: number }) {
  return (
    <span className="text-xs text-muted max-sm:hidden" title={`At most ${formatCount(max)}`}>
      {formatCount(count)} of {formatCount(included)} included
    </span>
  );
}

function NoKeys({ service, name, action }: { service: Service; name: ServiceName; action: React.ReactNode }) {
  if (service.state === 'not_provisioned') {
    return (
      <Empty
        Icon={KeyRound}
        title={`No keys for ${SERVICE_LABEL[name]}`}
        action={
          <Link to="/services/$service" params={{ service: name }} className={buttonClass('primary')}>
            See tiers
          </Link>
        }
      >
        Subscribe first; then you can create keys.
      </Empty>
    );
  }
  if (service.awaits_payment) {
    return (
      <Empty Icon={KeyRound} title="No keys yet">
        Keys can be made once {SERVICE_LABEL[name]} is paid for.
      </Empty>
    );
  }
  return (
    <Empty Icon={KeyRound} title="No keys yet" action={action}>
      A key lets a program ask {SERVICE_LABEL[name]} in your name. Make one for each program, so that one can be revoked alone.
    </Empty>
  );
}

function columnsOf(
  name: ServiceName,
  use: Schemas['ApiKeyUseList'] | undefined,
  /** Stands for a use that is not known, which is not the same as none. */
  unknown: React.ReactNode,
  open: (dialog: KeyDialog, key: ApiKey) => void,
  enable: (key: ApiKey) => void,
): Column<ApiKey>[] {
  const uses = new Map(use?.items.map((one) => [one.api_key_id, one]));
  const useOf = ({ api_key_id: id }: ApiKey) => uses.get(id);
  return [
    {
      name: 'Key',
      by: (key) => key.name,
      cell: (key) => (
        <div>
          <p className="font-medium">{key.name}</p>
          <p className="font-mono text-xs whitespace-nowrap text-muted">{key.hint}</p>
        </div>
      ),
    },
    { name: 'State', by: ({ state }) => state, cell: ({ state }) => <StateBadge state={state} /> },
    { name: 'Network', wide: true, by: ({ network }) => network, cell: ({ network }) => (network === 'mainnet' ? 'Mainnet' : 'Testnet') },
    {
      name: 'Requests, 24 h',
      right: true,
      wide: true,
      by: (key) => useOf(key)?.requests_24h ?? 0,
      cell: (key) => {
        if (use === undefined) return unknown;
        return (
          <Link to="/services/$service/logs" params={{ service: name }} search={{ key: String(key.fingerprint >>> 0) }} className="text-link hover:underline">
            {formatCount(useOf(key)?.requests_24h ?? 0)}
          </Link>
        );
      },
    },
    {
      name: 'Last used',
      wide: true,
      by: (key) => useOf(key)?.last_used_at ?? '',
      cell: (key) => {
        if (use === undefined) return unknown;
        const at = useOf(key)?.last_used_at;
        return at === undefined ? <span className="text-muted">Not in 30 days</span> : <Time at={at} />;
      },
    },
    {
      name: 'Expires',
      wide: true,
      by: ({ expires_at: at }) => at,
      cell: ({ expires_at: at }) => (at === undefined ? <span className="text-muted">Never</span> : <Time at={at} />),
    },
    { name: 'Actions', hideName: true, right: true, cell: (key) => <KeyMenu apiKey={key} open={open} enable={enable} /> },
  ];
}

interface KeyMenuProps {
  apiKey: ApiKey;
  open: (dialog: KeyDialog, key: ApiKey) => void;
  enable: (key: ApiKey) => void;
}

function KeyMenu({ apiKey, open, enable }: KeyMenuProps) {
  return (
    <div className="flex justify-end">
      <Menu
        label={`Actions of ${apiKey.name}`}
        buttonClass="grid size-8 place-items-center rounded text-muted hover:bg-selected hover:text-ink"
        width="w-44"
        button={<Ellipsis aria-hidden="true" className="size-4" strokeWidth={1.75} />}
      >
        {(close) => {
          const item = (label: string, act: () => void, danger = false) => (
            <li key={label}>
              <button
                type="button"
                className={`${MENU_ITEM} ${danger ? 'text-bad' : ''}`}
                onClick={() => {
                  close();
                  act();
                }}
              >
                {label}
              </button>
            </li>
          );
          return (
            <ul>
              {apiKey.is_revealable && item('Show the key', () => open('reveal', apiKey))}
              {item('Rename', () => open('rename', apiKey))}
              {apiKey.state === 'active' && item('Rotate', () => open('rotate', apiKey))}
              {apiKey.state === 'active' && item('Revoke', () => open('revoke', apiKey), true)}
              {apiKey.state === 'revoked' && item('Enable again', () => enable(apiKey))}
              {item('Delete', () => open('delete', apiKey), true)}
            </ul>
          );
        }}
      </Menu>
    </div>
  );
}
