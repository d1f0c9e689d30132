/** The newest requests of a service as they come, newest first. */
import { useQueryClient } from '@tanstack/react-query';
import { useEffect, useState } from 'react';
import type { Schemas } from '../../server/api';
import { openStream } from '../../server/stream';
import type { ServiceName } from '../../server/names';
import type { TailRows } from './tailRows';
import { NO_ROWS, withNews } from './tailRows';

interface Tail extends TailRows {
  /** Whether requests are heard of as they come; not while the stream is being opened. */
  isOpen: boolean;
  /** Too many follow already, as a rule; it is tried again. */
  isRefused: boolean;
}

/** Of one service as long as it is on the page: another one has another tail. */
export function useTail(service: ServiceName): Tail {
  const client = useQueryClient();
  const [stream, setStream] = useState({ isOpen: false, isRefused: false });
  const [rows, setRows] = useState(NO_ROWS);
  useEffect(
    () =>
      openStream(client, `/api/traffic/live?service=${service}`, 'requests', {
        onState: (isOpen, isRefused) => setStream({ isOpen, isRefused }),
        onEvent: (data, isFirst) => {
          const news = JSON.parse(data) as Schemas['TrafficNews'];
          setRows((before) => withNews(before, news, isFirst));
        },
      }),
    [client, service],
  );
  return { ...rows, ...stream };
}
