import type { QueryClient, UseQueryResult } from '@tanstack/react-query';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useEffect, useState } from 'react';
import type { Overview } from '../api';
import { getOverview } from '../api';
import type { Connection } from './stream';
import { openStream } from './stream';

const OVERVIEW = ['overview'] as const;

/** Each pushed overview restarts this interval, so the page asks only when the stream has been silent for so long. */
const ASK_AFTER_SILENCE_MS = 10_000;

export function useOverview(): { overview: UseQueryResult<Overview>; connection: Connection } {
  const client = useQueryClient();
  const [connection, setConnection] = useState<Connection>('connecting');
  const overview = useQuery({
    queryKey: OVERVIEW,
    queryFn: ({ signal }) => askOverview(client, signal),
    refetchInterval: ASK_AFTER_SILENCE_MS,
    // The interval and the stream are the retries; one here would only delay saying that something is wrong.
    retry: false,
    staleTime: ASK_AFTER_SILENCE_MS,
  });
  useEffect(
    () =>
      openStream({
        onOverview: (next) => client.setQueryData<Overview>(OVERVIEW, next),
        onConnection: setConnection,
      }),
    [client],
  );
  // An open stream that brings nothing, from a server that answers nothing, is not live.
  return { overview, connection: overview.isRefetchError ? 'reconnecting' : connection };
}

/** An answer that was overtaken by a pushed overview is older than it, and must not put the figures back. */
async function askOverview(client: QueryClient, signal: AbortSignal): Promise<Overview> {
  const before = client.getQueryState(OVERVIEW)?.dataUpdateCount ?? 0;
  const answer = await getOverview(signal);
  const state = client.getQueryState<Overview>(OVERVIEW);
  return state?.data !== undefined && state.dataUpdateCount !== before ? state.data : answer;
}
