/** The newest requests of a service as they come, newest first. */
import { useQueryClient } from '@tanstack/react-query';
import { useEffect, useState } from 'react';
import type { Schemas } from '../../server/api';
import { openStream } from '../../server/live';
import type { ServiceName } from '../../server/names';

export type LoggedRequest = Schemas['TrafficRequest'];

/** Older ones make room. */
const KEPT = 200;

export function useTail(service: ServiceName): { rows: readonly LoggedRequest[]; dropped: number } {
  const client = useQueryClient();
  const [state, setState] = useState<{ rows: readonly LoggedRequest[]; dropped: number }>({ rows: [], dropped: 0 });
  useEffect(
    () =>
      openStream(client, `/api/traffic/live?service=${service}`, 'requests', (data) => {
        const { items, dropped } = JSON.parse(data) as Schemas['TrafficNews'];
        setState((before) => ({ rows: [...items, ...before.rows].slice(0, KEPT), dropped: before.dropped + dropped }));
      }),
    [client, service],
  );
  return state;
}
