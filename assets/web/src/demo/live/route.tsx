import type { UseQueryResult } from '@tanstack/react-query';
import type { Overview } from '../api';
import { ConnectionState } from './pieces/ConnectionState';
import { CustomerCard } from './pieces/CustomerCard';
import { DemoNotice } from './pieces/DemoNotice';
import { Failure } from './pieces/Failure';
import { IntakePanel } from './pieces/IntakePanel';
import { LostBanner } from './pieces/LostBanner';
import { NoTraffic } from './pieces/NoTraffic';
import { Skeleton } from './pieces/Skeleton';
import { TotalsPanel } from './pieces/TotalsPanel';
import { useOverview } from './queries';
import type { Connection } from './stream';

export function LivePage() {
  const { overview, connection } = useOverview();
  const lost = connection === 'reconnecting';
  return (
    <>
      <LostBanner lost={lost && overview.data !== undefined} lastSeen={overview.data?.now} />
      <div className="mx-auto max-w-[1280px] px-4 pb-16 pt-10 lg:px-8">
        <PageHeader connection={connection} />
        <div className="mt-6">
          <Body overview={overview} stale={lost} />
        </div>
      </div>
    </>
  );
}

function PageHeader({ connection }: { connection: Connection }) {
  return (
    <div>
      <p className="text-xs text-muted">Demo</p>
      <div className="mt-1 flex items-center justify-between gap-4">
        <h1 className="text-[32px] leading-10 font-semibold tracking-tight">Live usage</h1>
        <ConnectionState connection={connection} />
      </div>
      <p className="mt-1 text-muted">
        Each request in the log is counted, priced and put on its customer’s draft invoice while you watch.
      </p>
    </div>
  );
}

function Body({ overview, stale }: { overview: UseQueryResult<Overview>; stale: boolean }) {
  if (overview.data !== undefined) return <Figures overview={overview.data} stale={stale} />;
  if (overview.isError) return <Failure error={overview.error} onRetry={() => void overview.refetch()} />;
  return <Skeleton />;
}

function Figures({ overview, stale }: { overview: Overview; stale: boolean }) {
  const { customers, intake, price, total, traffic } = overview;
  return (
    <div data-stale={stale} className="grid gap-6">
      <DemoNotice traffic={traffic} />
      {total.requests === 0 && <NoTraffic traffic={traffic} />}
      <div className="grid gap-4 xl:grid-cols-[minmax(0,1fr)_304px]">
        <TotalsPanel overview={overview} />
        <IntakePanel intake={intake} traffic={traffic} />
      </div>
      <section aria-labelledby="customers">
        <h2 id="customers" className="text-lg font-semibold tracking-tight">
          Customers
        </h2>
        <div className="mt-3 grid gap-4 xl:grid-cols-3">
          {customers.map((customer) => (
            <CustomerCard key={customer.customer_id} customer={customer} price={price} />
          ))}
        </div>
      </section>
    </div>
  );
}
