import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { formatBytes, formatCount } from '../../format';
import type { Schemas } from '../../server/api';
import { api, ask } from '../../server/api';
import { isServiceName } from '../../server/names';
import { Dialog } from '../../ui/Dialog';
import { Loaded } from '../../ui/Loaded';
import { Money } from '../../ui/Money';
import type { Column } from '../../ui/Table';
import { Table } from '../../ui/Table';
import { Time } from '../../ui/Time';
import { lineText } from './InvoiceLines';

type Hours = Schemas['LineHours'];
type Hour = Schemas['HourOfLine'];

/** The hours that a line of usage was counted from; each leads to its requests while these are kept. */
export function LineHours({ invoice, position, onClose }: { invoice: string; position: number; onClose: () => void }) {
  const query = useQuery({
    queryKey: ['billing', 'hours', invoice, position],
    queryFn: ({ signal }) => ask(api.GET('/api/billing/invoices/{invoice}/lines/{position}/hours', { params: { path: { invoice, position } }, signal })),
  });
  return (
    <Dialog title="Hours of this line" onClose={onClose} wide>
      <Loaded query={query}>
        {(hours) => (
          <div className="grid gap-4">
            <p className="text-[13px] text-muted">
              {lineText(hours.line)}: {formatCount(hours.line.quantity)} in {formatCount(hours.items.length)} hours. Requests are kept since <Time at={hours.requests_kept_since} show="day" />.
            </p>
            <div className="-mx-5 border-t border-line">
              <Table caption="Hours" columns={columnsOf(hours)} rows={hours.items} rowKey={({ from }) => from} empty={<p className="px-5 py-6 text-[13px] text-muted">Nothing was used.</p>} />
            </div>
            <p className="font-mono text-xs break-all text-muted" title="Of these hours, so that it can be shown later that they are the same">
              SHA-256 {hours.hours_sha256}
            </p>
          </div>
        )}
      </Loaded>
    </Dialog>
  );
}

function columnsOf({ line, requests_kept_since: kept }: Hours): Column<Hour>[] {
  const service = line.service;
  return [
    { name: 'Hour', by: ({ from }) => from, cell: ({ from }) => <Time at={from} /> },
    { name: 'Billable requests', right: true, by: (hour) => hour.billable_requests, cell: (hour) => formatCount(hour.billable_requests) },
    { name: 'Sent', right: true, wide: true, by: (hour) => hour.billable_bytes, cell: (hour) => formatBytes(hour.billable_bytes) },
    { name: 'Adds', right: true, cell: ({ amount_micros: micros }) => (micros === undefined ? '–' : <Money micros={micros} belowDigits={4} />) },
    {
      name: 'Requests',
      hideName: true,
      right: true,
      cell: ({ from, to }) =>
        service !== undefined && isServiceName(service) && from >= kept ? (
          <Link to="/services/$service/logs" params={{ service }} search={{ from, to }} className="text-link hover:underline">
            See them
          </Link>
        ) : null,
    },
  ];
}
