import { useState } from 'react';
import type { ServiceName, Tier } from '../../server/names';
import { PreviewDialog } from '../service/PreviewDialog';
import { Cards } from '../service/TierCards';

export function TierCards({ name }: { name: ServiceName }) {
  const [tier, setTier] = useState<Tier>();
  return (
    <>
      <Cards name={name} onChoose={setTier} />
      {tier !== undefined && <PreviewDialog name={name} asked={{ action: 'subscribe', tier }} onClose={() => setTier(undefined)} />}
    </>
  );
}
