import type { UseQueryResult } from '@tanstack/react-query';
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { formatCount, formatMoney, formatShare } from '../../format';
import type { ServiceName } from '../../server/names';
import type { Service } from '../../server/queries';
import { SERVICE_ABOUT, isServiceName, serviceLabel, tierLabel } from '../../server/names';
import { configQuery, isUpdating, seriesQuery, shownState } from '../../server/queries';
import { dollars } from '../../server/config';
import { allRequests, countsOf } from '../../server/traffic';
import { buttonClass } from '../../ui/Button';
import { Loaded } from '../../ui/Loaded';
import { Boxes, NumberLine } from '../../ui/Skeleton';
import { Sparkline } from '../../ui/Sparkline';
import { Updating } from '../../ui/Updating';
import { StateBadge } from '../../ui/StateBadge';

export function ServiceCards({ query }: { query: UseQueryResult<Service[]> }) {
  return (
    <section aria-labelledby="services">
      <h2 id="services" className="text-lg font-semibold tracking-tight">
        Services
      </h2>
      <div className="mt-3">
        <Loaded query={query} skeleton={<Boxes count={3} height={214} />}>
          {(services) => (
            <div className="grid gap-4 md:grid-cols-3">
              {services.map((service) => isServiceName(service.service) && <Card key={service.service} name={service.service} service={service} />)}
            </div>
          )}
        </Loaded>
      </div>
    </section>
  );
}

function Card({ name, service }: { name: ServiceName; service: Service }) {
  return (
    <article className="flex flex-col rounded border border-line bg-raised p-4 sm:p-5" data-testid={`service-${name}`}>
      <div className="flex items-center justify-between gap-3">
        <h3 className="text-[15px] font-semibold">
          <Link to="/services/$service" params={{ service: name }} className="hover:underline">
            {serviceLabel(name)}
          </Link>
        </h3>
        {isUpdating(service) ? <Updating /> : <StateBadge state={shownState(service)} />}
      </div>
      {service.tier === undefined ? <Offer name={name} /> : <Use name={name} service={service} tier={service.tier} />}
    </article>
  );
}

function Offer({ name }: { name: ServiceName }) {
  const config = useQuery(configQuery).data;
  return (
    <>
      <p className="mt-2 text-[13px] text-pretty text-muted">{SERVICE_ABOUT[name]}</p>
      <div className="mt-auto flex items-center justify-between gap-3 pt-5">
        <span className="text-[13px] text-muted">{config === undefined ? '' : `from ${formatMoney(dollars(config, 'fsubs_usd_sta'))} a month`}</span>
        <Link to="/services/$service" params={{ service: name }} className={buttonClass()}>
          See tiers
        </Link>
      </div>
    </>
  );
}

function Use({ name, service, tier }: { name: ServiceName; service: Service; tier: string }) {
  // One question for the figures and the line.
  const query = useQuery(seriesQuery({ range: '24h', service: name }, 'status'));
  const series = query.data;
  const counts = series === undefined ? undefined : countsOf(series);
  const waiting = query.isError ? '–' : <NumberLine />;
  return (
    <>
      <p className="mt-1 text-[13px] text-muted">
        {tierLabel(tier)} · {formatCount(service.guaranteed_per_s)}/s guaranteed{service.burst_per_s > 0 && ` + ${formatCount(service.burst_per_s)}/s burst`}
      </p>
      <dl className="mt-4 grid grid-cols-2 gap-3">
        <div>
          <dt className="text-xs text-muted">Requests, 24 h</dt>
          <dd className="text-xl font-semibold">{counts === undefined ? waiting : formatCount(counts.requests)}</dd>
        </div>
        <div>
          <dt className="text-xs text-muted">Success rate</dt>
          <dd className="text-xl font-semibold">{counts === undefined ? waiting : formatShare(counts.requests - counts.errors, counts.requests)}</dd>
        </div>
      </dl>
      <div className="mt-auto pt-3">
        {series === undefined ? (
          <div className="h-10" />
        ) : (
          // The last step is still filling, and would look like traffic falling off.
          <Sparkline values={allRequests(series).slice(0, -1)} summary={`${serviceLabel(name)}: requests in the last 24 hours`} />
        )}
      </div>
    </>
  );
}
