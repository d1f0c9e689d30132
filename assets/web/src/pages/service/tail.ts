/** The newest requests of a service as they come, newest first. */
import { useQueryClient } from '@tanstack/react-query';
import { useEffect, useState } from 'react';
import type { Schemas } from '../../server/api';
import { openStream } from '../../server/stream';
import type { ServiceName } from '../../server/names';

export type LoggedRequest = Schemas['TrafficRequest'];

/** Older ones make room. */
const KEPT = 200;

interface Tail {
  rows: readonly LoggedRequest[];
  /** How many were left out, because there were too many. */
  dropped: number;
  /** Whether requests are heard of as they come; not while the stream is being opened. */
  isOpen: boolean;
  /** Too many follow already, as a rule; it is tried again. */
  isRefused: boolean;
}

export function useTail(service: ServiceName): Tail {
  const client = useQueryClient();
  const [stream, setStream] = useState({ isOpen: false, isRefused: false });
  const [state, setState] = useState<Pick<Tail, 'rows' | 'dropped'>>({ rows: [], dropped: 0 });
  useEffect(
    () =>
      openStream(client, `/api/traffic/live?service=${service}`, 'requests', {
        onState: (isOpen, isRefused) => setStream({ isOpen, isRefused }),
        onEvent: (data) => {
          const { items, dropped } = JSON.parse(data) as Schemas['TrafficNews'];
          setState((before) => ({ rows: [...items, ...before.rows].slice(0, KEPT), dropped: before.dropped + dropped }));
        },
      }),
    [client, service],
  );
  return { ...state, ...stream };
}
