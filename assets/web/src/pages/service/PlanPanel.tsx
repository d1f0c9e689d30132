import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { formatCount } from '../../format';
import { TIER_KEY, count, dollars } from '../../server/config';
import type { ServiceName } from '../../server/names';
import type { Service } from '../../server/queries';
import { TIERS, tierLabel } from '../../server/names';
import { configQuery } from '../../server/queries';
import { Button } from '../../ui/Button';
import { Dialog } from '../../ui/Dialog';
import { Money } from '../../ui/Money';
import { Panel } from '../../ui/Panel';
import { Time } from '../../ui/Time';
import { allowed } from './allowed';
import { TierChoice } from './TierCards';
import { PreviewDialog } from './PreviewDialog';

/** The tier, what it costs, and every way to change or end it. */
export function PlanPanel({ name, service }: { name: ServiceName; service: Service }) {
  const config = useQuery(configQuery).data;
  const [choosing, setChoosing] = useState(false);
  const [ending, setEnding] = useState<'cancel' | 'undo_cancel'>();
  const tier = TIERS.find((one) => one === service.tier);
  const { changeTier, cancel, undoCancel } = allowed(service);
  return (
    <Panel title="Plan">
      <div className="px-4 py-4 sm:px-5">
        <p className="text-[13px] text-muted">Tier</p>
        <p className="text-[26px] leading-9 font-semibold tracking-tight">{tierLabel(service.tier ?? '')}</p>
        {config !== undefined && tier !== undefined && (
          <p className="text-[13px] text-muted">
            <Money micros={dollars(config, `fsubs_usd_${TIER_KEY[tier]}`)} /> a month, prepaid, and <Money micros={dollars(config, 'freqs_usd')} /> per{' '}
            {formatCount(count(config, 'freqs_count'))} billable requests
          </p>
        )}
        {service.scheduled_tier !== undefined && service.scheduled_tier_at !== undefined && (
          <p className="mt-3 text-[13px]">
            Changes to <strong>{tierLabel(service.scheduled_tier)}</strong> on <Time at={service.scheduled_tier_at} show="day" />. Choose {tierLabel(service.tier ?? '')} again to keep it.
          </p>
        )}
        {service.cancel_at !== undefined && (
          <p className="mt-3 text-[13px]">
            Ends on <Time at={service.cancel_at} />. Until then it can be undone.
          </p>
        )}
      </div>
      <div className="flex flex-wrap gap-2 border-t border-line px-4 py-3 empty:hidden sm:px-5">
        {changeTier && <Button onClick={() => setChoosing(true)}>Change tier</Button>}
        {undoCancel && <Button onClick={() => setEnding('undo_cancel')}>Keep the service</Button>}
        {cancel && (
          <Button kind="quiet" onClick={() => setEnding('cancel')}>
            Cancel the subscription
          </Button>
        )}
      </div>
      {choosing && (
        <Dialog title="Change tier" onClose={() => setChoosing(false)} wide>
          <TierChoice name={name} service={service} onDone={() => setChoosing(false)} />
        </Dialog>
      )}
      {ending !== undefined && <PreviewDialog name={name} asked={{ action: ending }} onClose={() => setEnding(undefined)} />}
    </Panel>
  );
}
