import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import type { Schemas } from '../../server/api';
import { api, ask, tell } from '../../server/api';
import { Badge } from '../../ui/Badge';
import { Button } from '../../ui/Button';
import { Loaded } from '../../ui/Loaded';
import { Panel } from '../../ui/Panel';
import { Problem } from '../../ui/Problem';
import type { Column } from '../../ui/Table';
import { Table } from '../../ui/Table';
import { Time } from '../../ui/Time';
import { toast } from '../../ui/toasts';
import { browserText } from './browser';

type Session = Schemas['Session'];

export function SessionsPanel() {
  const client = useQueryClient();
  const sessions = useQuery({
    queryKey: ['sessions'],
    queryFn: async ({ signal }) => (await ask(api.GET('/api/auth/sessions', { signal }))).items,
  });
  const done = async (text: string) => {
    await client.invalidateQueries({ queryKey: ['sessions'] });
    toast(text);
  };
  const end = useMutation({
    mutationFn: (id: string) => tell(api.DELETE('/api/auth/sessions/{session_id}', { params: { path: { session_id: id } } })),
    onSuccess: () => done('Session ended'),
  });
  const others = useMutation({ mutationFn: () => ask(api.POST('/api/auth/sessions/revoke-others')), onSuccess: () => done('Every other session ended') });
  const several = (sessions.data?.length ?? 0) > 1;
  return (
    <Panel
      title="Sessions"
      aside={
        several ? (
          <Button busy={others.isPending} onClick={() => others.mutate()}>
            End all others
          </Button>
        ) : undefined
      }
    >
      {(end.error ?? others.error) !== null && (
        <div className="p-4">
          <Problem error={end.error ?? others.error} />
        </div>
      )}
      <Loaded query={sessions}>{(rows) => <Table caption="Sessions" columns={columnsOf((id) => end.mutate(id), end.isPending)} rows={rows} rowKey={({ session_id: id }) => id} />}</Loaded>
    </Panel>
  );
}

function columnsOf(end: (id: string) => void, busy: boolean): Column<Session>[] {
  return [
    {
      name: 'Browser',
      cell: ({ user_agent: agent, is_current: current }) => (
        <span title={agent} className="flex flex-wrap items-baseline gap-x-2">
          {browserText(agent)}
          {current && <Badge tone="good">This one</Badge>}
        </span>
      ),
    },
    { name: 'Last active', by: ({ last_active_at: at }) => at, cell: ({ last_active_at: at }) => <Time at={at} /> },
    { name: 'From', wide: true, cell: ({ ip }) => <span className="font-mono text-xs">{ip}</span> },
    { name: 'Signed in', wide: true, by: ({ created_at: at }) => at, cell: ({ created_at: at }) => <Time at={at} show="day" /> },
    {
      name: 'Actions',
      hideName: true,
      right: true,
      cell: ({ session_id: id, is_current: current }) =>
        current ? null : (
          <Button kind="quiet" disabled={busy} onClick={() => end(id)}>
            End
          </Button>
        ),
    },
  ];
}
