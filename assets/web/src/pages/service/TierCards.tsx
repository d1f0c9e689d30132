import { useQuery } from '@tanstack/react-query';
import { useNavigate, useSearch } from '@tanstack/react-router';
import { Check } from 'lucide-react';
import { useState } from 'react';
import { formatCount } from '../../format';
import type { Config } from '../../server/config';
import { TIER_KEY, count, dollars } from '../../server/config';
import type { ServiceName, Tier } from '../../server/names';
import type { Service } from '../../server/queries';
import { SERVICE_LABEL, TIERS, TIER_LABEL } from '../../server/names';
import { configQuery } from '../../server/queries';
import { Banner } from '../../ui/Banner';
import { Button } from '../../ui/Button';
import { Loaded } from '../../ui/Loaded';
import { Money } from '../../ui/Money';
import { Boxes } from '../../ui/Skeleton';
import { Time } from '../../ui/Time';
import { PreviewDialog } from './PreviewDialog';

/** For who has not subscribed: the tiers with their prices and limits, and what it would cost before anything is done. */
export function TierCards({ name, service }: { name: ServiceName; service: Service }) {
  const { tier } = useSearch({ from: '/account/services/$service/' });
  const navigate = useNavigate({ from: '/services/$service' });
  const choose = (chosen: Tier | undefined) => void navigate({ search: chosen === undefined ? {} : { tier: chosen }, replace: true, resetScroll: false });
  const cooling = service.cooldown_until;
  return (
    <section aria-label="Tiers">
      {cooling !== undefined && (
        <div className="mb-4">
          <Banner tone="info" title={<>You can subscribe again from <Time at={cooling} /></>} />
        </div>
      )}
      <Cards name={name} disabled={cooling !== undefined} onChoose={choose} />
      {tier !== undefined && cooling === undefined && <PreviewDialog name={name} asked={{ action: 'subscribe', tier }} onClose={() => choose(undefined)} />}
    </section>
  );
}

interface TierChoiceProps {
  name: ServiceName;
  /** The one that has a tier already; without it, a tier is subscribed to. */
  service?: Service;
  onDone?: () => void;
}

export function TierChoice({ name, service, onDone }: TierChoiceProps) {
  const [chosen, setChosen] = useState<Tier>();
  return (
    <>
      <Cards name={name} current={service?.tier} scheduled={service?.scheduled_tier} onChoose={setChosen} />
      {chosen !== undefined && (
        <PreviewDialog
          name={name}
          asked={{ action: service === undefined ? 'subscribe' : 'change_tier', tier: chosen }}
          onClose={() => setChosen(undefined)}
          onDone={() => {
            setChosen(undefined);
            onDone?.();
          }}
        />
      )}
    </>
  );
}

interface CardsProps {
  name: ServiceName;
  current?: string | undefined;
  scheduled?: string | undefined;
  disabled?: boolean;
  onChoose: (tier: Tier) => void;
}

function Cards({ name, current, scheduled, disabled = false, onChoose }: CardsProps) {
  const config = useQuery(configQuery);
  return (
    <Loaded query={config} skeleton={<Boxes count={3} height={260} />}>
      {(values) => (
        <>
          <div className="grid gap-4 md:grid-cols-3">
            {TIERS.map((tier) => {
              const here = tier === current;
              const keep = here && scheduled !== undefined;
              return (
                <article key={tier} aria-label={TIER_LABEL[tier]} className={`flex flex-col rounded border p-4 sm:p-5 ${here ? 'border-link bg-info' : 'border-line bg-raised'}`}>
                  <h2 className="text-[15px] font-semibold">{TIER_LABEL[tier]}</h2>
                  <p className="mt-2 text-[26px] leading-8 font-semibold tracking-tight">
                    <Money micros={dollars(values, `fsubs_usd_${TIER_KEY[tier]}`)} />
                    <span className="text-[13px] font-normal text-muted"> a month</span>
                  </p>
                  <ul className="mt-4 mb-5 grid gap-1.5 text-[13px]">
                    {benefits(values, name, tier).map((text) => (
                      <li key={text} className="flex gap-2">
                        <Check aria-hidden="true" className="mt-0.5 size-3.5 shrink-0 text-good" strokeWidth={2} />
                        {text}
                      </li>
                    ))}
                  </ul>
                  <div className="mt-auto">
                    <Button
                      kind={current === undefined && tier === 'pro' ? 'primary' : 'default'}
                      className="w-full"
                      disabled={disabled || (here && !keep)}
                      onClick={() => onChoose(tier)}
                    >
                      {here ? (keep ? `Keep ${TIER_LABEL[tier]}` : 'Your tier') : `Choose ${TIER_LABEL[tier]}`}
                    </Button>
                  </div>
                </article>
              );
            })}
          </div>
          <p className="mt-3 text-[13px] text-pretty text-muted">
            And <Money micros={dollars(values, 'freqs_usd')} /> per {formatCount(count(values, 'freqs_count'))} billable requests, in every tier. Refused and rate-limited requests of{' '}
            {SERVICE_LABEL[name]} cost nothing.
          </p>
        </>
      )}
    </Loaded>
  );
}

function benefits(config: Config, name: ServiceName, tier: Tier): string[] {
  const rate = count(config, `fbw_${TIER_KEY[tier]}`);
  const seal = name === 'seal' ? [`${plural(count(config, 'fskey_incl'), 'Seal key')} with ${plural(count(config, 'fskey_pkg_incl'), 'package')}`] : [];
  return [
    `${formatCount(rate)} requests per second and region`,
    `${formatCount(count(config, 'freg_count'))} regions`,
    `${plural(count(config, 'fapikey_incl'), 'API key')} included`,
    ...seal,
    ...(tier === 'starter' ? [] : ['Burst above the guaranteed rate', `IP allowlist, ${formatCount(count(config, 'fipv4_incl'))} entries included`]),
  ];
}

function plural(number: number, noun: string): string {
  return `${formatCount(number)} ${noun}${number === 1 ? '' : 's'}`;
}
