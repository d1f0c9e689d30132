import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { Check } from 'lucide-react';
import type { ReactNode } from 'react';
import { useState } from 'react';
import { formatCount } from '../../format';
import type { ServiceName } from '../../server/names';
import type { Service } from '../../server/queries';
import { SERVICES, SERVICE_LABEL, isServiceName } from '../../server/names';
import { billingQuery, keysQuery, servicesQuery, summaryQuery } from '../../server/queries';
import { Button, buttonClass } from '../../ui/Button';
import { Loaded } from '../../ui/Loaded';
import { Money } from '../../ui/Money';
import { Page } from '../../ui/Page';
import { Problem } from '../../ui/Problem';
import { RemedyLink } from '../../ui/Remedy';
import { Segments } from '../../ui/Segments';
import { Boxes } from '../../ui/Skeleton';
import { DepositForm } from '../billing/DepositForm';
import { CreateKey } from '../keys/CreateKey';
import { TryIt } from '../keys/TryIt';
import { useServiceAction } from '../service/mutations';
import { TierChoice } from '../service/TierCards';
import { stepsDone } from './steps';

/** The first five minutes, each step ticked off by what has really happened. */
export function WelcomePage() {
  const services = useQuery(servicesQuery);
  return (
    <Page eyebrow="Account" title="Get started" about="Five steps to your first request. Each is ticked off when it has happened, here or elsewhere.">
      <Loaded query={services} skeleton={<StepsSkeleton />}>
        {(items) => <Steps services={items} />}
      </Loaded>
    </Page>
  );
}

function StepsSkeleton() {
  return <Boxes count={5} height={72} className="grid gap-3" />;
}

const NAMES = SERVICES.map((value) => ({ value, label: SERVICE_LABEL[value] }));

function Steps({ services }: { services: readonly Service[] }) {
  const first = services.find(({ state }) => state !== 'not_provisioned')?.service ?? 'seal';
  const [name, setName] = useState<ServiceName>(isServiceName(first) ? first : 'seal');
  const service = services.find((one) => one.service === name);
  const billing = useQuery(billingQuery);
  const keys = useInfiniteQuery(keysQuery(name));
  const summary = useQuery(summaryQuery({ range: '30d', service: name }));
  const [creating, setCreating] = useState(false);
  if (service === undefined) return null;

  const done = stepsDone({ service, billing: billing.data, keys: keys.data?.pages[0]?.items.length, requests: summary.data?.current.requests });
  if (done === undefined) {
    const failed = [billing, keys, summary].find(({ data, isError }) => data === undefined && isError);
    return failed === undefined ? <StepsSkeleton /> : <Problem error={failed.error} onRetry={() => void failed.refetch()} />;
  }

  const balance = billing.data?.escrow?.balance_micros ?? 0;
  const subscribed = service.state !== 'not_provisioned';
  const keyCount = keys.data?.pages[0]?.items.length ?? 0;
  const requests = summary.data?.current.requests ?? 0;
  const now = done.indexOf(false);
  const step = (index: number) => ({ number: index + 1, done: done[index] === true, now: index === now });
  return (
    <ol className="grid gap-3">
      <Step {...step(0)} title="Deposit USDC" note={done[0] === true ? <>The account holds <Money micros={balance} /></> : 'Into an escrow account that stays yours; all of it can be withdrawn.'}>
        <div className="max-w-lg">
          <DepositForm initial="50" />
        </div>
      </Step>
      <Step {...step(1)} title={subscribed ? `Subscribed to ${SERVICE_LABEL[name]}` : 'Choose a service and a tier'} note={subscribed ? undefined : 'You see the exact charge before anything is paid.'}>
        <div className="grid gap-4">
          <Segments label="Service" value={name} options={NAMES} onChange={setName} />
          <TierChoice name={name} />
        </div>
      </Step>
      <Step {...step(2)} title={`Turn ${SERVICE_LABEL[name]} on`} note="Keys work from then on.">
        <TurnOn name={name} service={service} />
      </Step>
      <Step {...step(3)} title="Create an API key" note={keyCount > 0 ? `${formatCount(keyCount)} ${keyCount === 1 ? 'key' : 'keys'} so far` : 'Shown once, with a command that is ready to run.'}>
        <Button kind="primary" onClick={() => setCreating(true)}>
          Create key
        </Button>
      </Step>
      <Step {...step(4)} title="Send a request" note={requests > 0 ? `${formatCount(requests)} in the last 30 days` : 'It appears here by itself, within two seconds.'}>
        <div className="grid gap-3">
          <TryIt service={name} text="YOUR_KEY" />
          <p role="status" className="flex items-center gap-2 text-[13px] text-muted">
            <span aria-hidden="true" className="size-2 rounded-full bg-link motion-safe:animate-pulse" />
            Waiting for the first request …
          </p>
        </div>
      </Step>
      {now === -1 && (
        <li>
          <Link to="/" className={buttonClass('primary')}>
            Open the dashboard
          </Link>
        </li>
      )}
      {creating && <CreateKey service={name} extra={false} onClose={() => setCreating(false)} />}
    </ol>
  );
}

interface StepProps {
  number: number;
  title: string;
  note?: ReactNode;
  done: boolean;
  now: boolean;
  children: ReactNode;
}

function Step({ number, title, note, done, now, children }: StepProps) {
  return (
    <li aria-current={now ? 'step' : undefined} className={`rounded border bg-raised px-4 py-4 sm:px-5 ${now ? 'border-link' : 'border-line'}`}>
      <div className="flex items-start gap-3">
        <span className={`grid size-6 shrink-0 place-items-center rounded-full border text-xs font-semibold ${done ? 'border-good text-good' : now ? 'border-link text-link' : 'border-line text-muted'}`}>
          {done ? <Check aria-hidden="true" className="size-3.5" strokeWidth={2.5} /> : number}
        </span>
        <div className="min-w-0 flex-1">
          <h2 className={`text-[15px] leading-6 font-semibold ${done || now ? '' : 'text-muted'}`}>
            {title}
            {done && <span className="sr-only"> (done)</span>}
          </h2>
          {note !== undefined && <p className="text-[13px] text-muted">{note}</p>}
          {now && <div className="mt-4">{children}</div>}
        </div>
      </div>
    </li>
  );
}

/** Before the first payment it cannot be turned on: then what is missing comes first. */
function TurnOn({ name, service }: { name: ServiceName; service: Service }) {
  const action = useServiceAction(name);
  const billing = useQuery(billingQuery).data;
  return (
    <div className="grid gap-3">
      {service.banner !== undefined && <p className="text-[13px]">{service.banner}</p>}
      <Problem error={action.error} />
      <div>
        {service.awaits_payment ? (
          <RemedyLink shortfall={billing?.shortfall} />
        ) : (
          <Button kind="primary" busy={action.isPending} onClick={() => action.mutate({ do: 'enable' })}>
            Turn on
          </Button>
        )}
      </div>
    </div>
  );
}
