import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { KeySquare, Plus } from 'lucide-react';
import { useState } from 'react';
import { formatCount, shortAddress } from '../../format';
import type { Schemas } from '../../server/api';
import { api, ask } from '../../server/api';
import { askAgainMs } from '../../server/askAgain';
import { serviceQuery } from '../../server/queries';
import { Badge } from '../../ui/Badge';
import { Button, buttonClass } from '../../ui/Button';
import { Copy } from '../../ui/Copy';
import { Empty } from '../../ui/Empty';
import { PagedList, rowsOf } from '../../ui/PagedList';
import { Panel } from '../../ui/Panel';
import { Problem } from '../../ui/Problem';
import { Boxes } from '../../ui/Skeleton';
import { StateBadge } from '../../ui/StateBadge';
import { Time } from '../../ui/Time';
import type { SealDialog } from './SealDialogs';
import { CreateSealKey, OpenSealDialog } from './SealDialogs';
import { useSealAction } from './sealMutations';

type SealKey = Schemas['SealKey'];

/** How often the list is asked for while a registration is under way. */
const WATCH_EVERY_MS = 2_000;

export function SealKeysTab() {
  const service = useQuery(serviceQuery('seal')).data;
  const [creating, setCreating] = useState(false);
  const keys = useInfiniteQuery({
    queryKey: ['seal-keys'],
    queryFn: ({ pageParam, signal }) =>
      ask(api.GET('/api/services/seal/keys', { params: { query: { limit: 50, ...(pageParam === '' ? {} : { cursor: pageParam }) } }, signal })),
    initialPageParam: '',
    getNextPageParam: (last) => last.next_cursor,
    refetchInterval: ({ state }) => askAgainMs(state.error, state.data?.pages.some(({ items }) => items.some(isUnderWay)) === true ? WATCH_EVERY_MS : false),
  });
  const first = keys.data?.pages[0];
  const rows = rowsOf(keys);
  if (service?.state === 'not_provisioned') return <NotSubscribed />;
  const create = (
    <Button
      kind="primary"
      icon={<Plus aria-hidden="true" className="size-3.5" strokeWidth={2} />}
      disabled={first === undefined || rows.length >= first.max}
      onClick={() => setCreating(true)}
    >
      Create Seal key
    </Button>
  );
  return (
    <>
      {rows.length > 0 && (
        <div className="flex flex-wrap items-center justify-between gap-3">
          <p className="text-[13px] text-muted">
            {first !== undefined && `${formatCount(rows.length)} of ${formatCount(first.included)} included, at most ${formatCount(first.max)}`}
          </p>
          {create}
        </div>
      )}
      <PagedList pages={keys} skeleton={<Boxes count={2} height={180} className="grid gap-4" />} more="Load more">
        {() => (
          <>
            {rows.length === 0 && (
              <Panel title="Seal keys">
                <Empty Icon={KeySquare} title="No Seal keys yet" action={create}>
                  A Seal key is registered on Sui and serves decryption keys for the packages that you name.
                </Empty>
              </Panel>
            )}
            {rows.map((key) => first !== undefined && <KeyCard key={key.seal_key_id} sealKey={key} included={first.included_packages} max={first.max_packages} />)}
          </>
        )}
      </PagedList>
      {creating && <CreateSealKey extra={first !== undefined && rows.length >= first.included} onClose={() => setCreating(false)} />}
    </>
  );
}

function isUnderWay({ registration }: SealKey): boolean {
  return registration.state !== 'registered';
}

function NotSubscribed() {
  return (
    <Panel title="Seal keys">
      <Empty
        Icon={KeySquare}
        title="Not subscribed to Seal"
        action={
          <Link to="/services/$service" params={{ service: 'seal' }} className={buttonClass('primary')}>
            See tiers
          </Link>
        }
      >
        Subscribe first; then you can create Seal keys.
      </Empty>
    </Panel>
  );
}

function KeyCard({ sealKey, included, max }: { sealKey: SealKey; included: number; max: number }) {
  const [dialog, setDialog] = useState<SealDialog>();
  const action = useSealAction();
  const { registration, packages } = sealKey;
  return (
    <Panel
      title={sealKey.name}
      aside={
        <div className="flex items-center gap-4">
          {sealKey.is_enabled ? <StateBadge state={registration.state} /> : <Badge tone="warn">Off</Badge>}
          <Button busy={action.isPending} onClick={() => (sealKey.is_enabled ? setDialog({ open: 'turn-off' }) : action.mutate({ do: 'change', key: sealKey, change: { is_enabled: true } }))}>
            {sealKey.is_enabled ? 'Turn off' : 'Turn on'}
          </Button>
        </div>
      }
    >
      {action.error !== null && (
        <div className="p-4">
          <Problem error={action.error} />
        </div>
      )}
      {registration.last_error !== undefined && (
        <p className="border-b border-line bg-warn-fill px-5 py-2 text-[13px] text-warn">
          Registering failed: {registration.last_error}. {registration.next_attempt_at !== undefined && <>Tried again at <Time at={registration.next_attempt_at} show="second" />.</>}
        </p>
      )}
      <dl className="grid gap-x-8 px-4 py-3 text-[13px] sm:px-5 md:grid-cols-2">
        <Fact label="Object" value={registration.object_id} note={registration.is_simulated ? 'Simulated chain' : undefined} />
        <Fact label="Public key" value={registration.public_key} />
        <div className="flex min-h-9 items-center gap-4">
          <dt className="w-24 text-muted">Derivation</dt>
          <dd>Index {formatCount(sealKey.derivation_index)}</dd>
        </div>
        <div className="flex min-h-9 items-center gap-4">
          <dt className="w-24 text-muted">Created</dt>
          <dd>
            <Time at={sealKey.created_at} />
          </dd>
        </div>
      </dl>
      <div className="border-t border-line">
        <div className="flex items-center justify-between gap-3 px-4 py-2 sm:px-5">
          <h3 className="text-[13px] font-medium">
            Packages{' '}
            <span className="font-normal text-muted">
              {formatCount(packages.length)} of {formatCount(included)} included
            </span>
          </h3>
          <Button kind="quiet" disabled={packages.length >= max} onClick={() => setDialog({ open: 'package' })}>
            Add package
          </Button>
        </div>
        {packages.length === 0 ? (
          <p className="border-t border-line px-5 py-4 text-[13px] text-muted">No package yet: key servers answer for none until you add one.</p>
        ) : (
          <ul className="divide-y divide-line border-t border-line">
            {packages.map((one) => (
              <li key={one.seal_package_id} className="flex flex-wrap items-center gap-x-4 px-4 py-1.5 text-[13px] sm:px-5">
                <span className="font-medium">{one.name}</span>
                <span className="flex min-w-0 items-center gap-1 text-muted">
                  <span className="font-mono text-xs">{shortAddress(one.address)}</span>
                  <Copy text={one.address} what="package address" />
                </span>
                <span className="ml-auto flex">
                  <Button kind="quiet" onClick={() => setDialog({ open: 'rename-package', package: one })}>
                    Rename
                  </Button>
                  <Button kind="quiet" onClick={() => setDialog({ open: 'remove-package', package: one })}>
                    Remove
                  </Button>
                </span>
              </li>
            ))}
          </ul>
        )}
      </div>
      <div className="flex gap-2 border-t border-line px-4 py-3 sm:px-5">
        <Button onClick={() => setDialog({ open: 'rename' })}>Rename</Button>
        <Button kind="quiet" className="!text-bad" onClick={() => setDialog({ open: 'delete' })}>
          Delete
        </Button>
      </div>
      {dialog !== undefined && <OpenSealDialog dialog={dialog} sealKey={sealKey} onClose={() => setDialog(undefined)} />}
    </Panel>
  );
}

function Fact({ label, value, note }: { label: string; value: string | undefined; note?: string | undefined }) {
  return (
    <div className="flex min-h-9 min-w-0 items-center gap-4">
      <dt className="w-24 shrink-0 text-muted">{label}</dt>
      <dd className="flex min-w-0 items-center gap-1">
        {value === undefined ? (
          <span className="text-muted">Once registered</span>
        ) : (
          <>
            <span className="truncate font-mono text-xs">{value.length > 24 ? `${value.slice(0, 12)}…${value.slice(-6)}` : value}</span>
            <Copy text={value} what={label.toLowerCase()} />
          </>
        )}
        {note !== undefined && <span className="text-xs text-muted">{note}</span>}
      </dd>
    </div>
  );
}
