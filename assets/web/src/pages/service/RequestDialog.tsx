import { useQuery } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { formatBytes, formatCount, formatDuration } from '../../format';
import type { Schemas } from '../../server/api';
import { api, ask } from '../../server/api';
import { useKeyNames } from '../../server/keyNames';
import { isServiceName, serviceLabel } from '../../server/names';
import { CLEAN, endText, eventText } from '../../server/trace';
import { classOf } from '../../server/traffic';
import { Dot } from '../../ui/chart/Chart';
import { Copy } from '../../ui/Copy';
import { Dialog } from '../../ui/Dialog';
import { Loaded } from '../../ui/Loaded';
import { Money } from '../../ui/Money';
import { Time } from '../../ui/Time';

type LoggedRequest = Schemas['TrafficRequestDetail'];

/** The whole trace of a request: what was decided about it, where its time went, and whether it is billed. */
export function RequestDialog({ requestId, onClose }: { requestId: string; onClose: () => void }) {
  const query = useQuery({
    queryKey: ['requests', 'one', requestId],
    queryFn: ({ signal }) => ask(api.GET('/api/traffic/requests/{request_id}', { params: { path: { request_id: requestId } }, signal })),
  });
  return (
    <Dialog title="Request" onClose={onClose} wide>
      <Loaded query={query}>{(request) => <Trace request={request} />}</Loaded>
    </Dialog>
  );
}

function Trace({ request }: { request: LoggedRequest }) {
  const keyName = useKeyNames(isServiceName(request.service) ? request.service : 'seal');
  const { label, color, meaning } = classOf(request.class);
  return (
    <div className="grid grid-cols-[minmax(0,1fr)] gap-5">
      <p className="font-mono text-[13px] break-all">
        <span className="text-muted">{request.method}</span> {request.path}
      </p>
      <dl className="grid text-[13px] sm:grid-cols-2 sm:gap-x-8">
        <Fact label="When">
          <Time at={request.at} show="second" />
        </Fact>
        <Fact label="Status">{request.status ?? 'No answer'}</Fact>
        <Fact label="Decision">
          <span className="flex items-center gap-1.5" title={meaning}>
            <Dot color={color} />
            {label}
          </span>
        </Fact>
        <Fact label="Billed">{request.price === undefined ? 'No' : <Billed price={request.price} repeat={request.repeat} />}</Fact>
        <Fact label="Service">{serviceLabel(request.service)}</Fact>
        <Fact label="Network">{networkText(request.network)}</Fact>
        <Fact label="Key">{request.key_fingerprint === undefined ? 'None' : keyName(String(request.key_fingerprint >>> 0))}</Fact>
        <Fact label="Client">
          <span className="font-mono text-xs">{request.client_ip}</span>
        </Fact>
        <Fact label="Upstream">
          <span className="font-mono text-xs">
            {request.backend}/{request.server}
          </span>
        </Fact>
        <Fact label="Gateway">{request.gateway}</Fact>
        <Fact label="Received">{formatBytes(request.bytes_in)}</Fact>
        <Fact label="Sent">{formatBytes(request.bytes_out)}</Fact>
        <Fact label="How it ended">
          {endText(request.termination)}
          {request.termination !== CLEAN && <span className="ml-1.5 font-mono text-xs text-muted">{request.termination}</span>}
        </Fact>
        <Fact label="Reason">{eventText(request.event)}</Fact>
      </dl>
      <Times times={request.times} />
      <p className="flex items-center gap-1 border-t border-line pt-3 text-xs text-muted">
        <span className="shrink-0">X-Request-ID</span> <span className="truncate font-mono">{request.request_id}</span>
        <Copy text={request.request_id} what="request id" />
      </p>
    </div>
  );
}

/** At the price of its hour: amounts are of hours and months, not of single requests. */
function Billed({ price, repeat }: { price: Schemas['RequestPrice']; repeat: number }) {
  return (
    <>
      {repeat === 1 ? 'Yes' : `${formatCount(repeat)} times`}, at <Money micros={price.amount_micros} /> for {formatCount(price.per_requests)}
    </>
  );
}

function networkText(network: string | undefined | null): string {
  if (network === undefined || network === null) return 'Not told';
  return network.charAt(0).toUpperCase() + network.slice(1);
}

function Fact({ label, children }: { label: string; children: ReactNode }) {
  return (
    <div className="flex min-h-9 items-center justify-between gap-4 border-b border-line py-1">
      <dt className="text-muted">{label}</dt>
      <dd className="min-w-0 truncate text-right">{children}</dd>
    </div>
  );
}

const PHASES = [
  { field: 'request_ms', label: 'Reading the request' },
  { field: 'queue_ms', label: 'Waiting for a server' },
  { field: 'connect_ms', label: 'Connecting' },
  { field: 'response_ms', label: 'Waiting for the answer' },
] as const;

function Times({ times }: { times: Schemas['TrafficTimes'] }) {
  const total = Math.max(1, times.total_ms ?? 1);
  return (
    <section aria-label="Where the time went">
      <h3 className="flex justify-between text-[13px] font-semibold">
        Where the time went <span>{formatDuration(times.total_ms ?? null)}</span>
      </h3>
      <ul className="mt-2 grid gap-1.5 text-xs">
        {PHASES.map(({ field, label }, index, phases) => {
          const ms = times[field];
          const begin = phases.slice(0, index).reduce((sum, before) => sum + (times[before.field] ?? 0), 0);
          return (
            <li key={field} className="grid grid-cols-[8.5rem_minmax(0,1fr)_3.5rem] items-center gap-3 sm:grid-cols-[10rem_minmax(0,1fr)_4rem]">
              <span className="text-muted">{label}</span>
              <span aria-hidden="true" className="h-1.5 overflow-hidden rounded-sm bg-line">
                <span className="block h-full bg-link" style={{ marginLeft: `${Math.min(100, (100 * begin) / total)}%`, width: `${Math.min(100, (100 * (ms ?? 0)) / total)}%` }} />
              </span>
              <span className="text-right">{formatDuration(ms ?? null)}</span>
            </li>
          );
        })}
      </ul>
    </section>
  );
}
