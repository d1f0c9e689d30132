import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { Plus, TerminalSquare } from 'lucide-react';
import { useState } from 'react';
import type { Schemas } from '../../server/api';
import { api, ask } from '../../server/api';
import { Button } from '../../ui/Button';
import { Confirm } from '../../ui/Confirm';
import { Empty } from '../../ui/Empty';
import { Loaded } from '../../ui/Loaded';
import { Panel } from '../../ui/Panel';
import type { Column } from '../../ui/Table';
import { Table } from '../../ui/Table';
import { Time } from '../../ui/Time';
import { toast } from '../../ui/toasts';
import { CreateToken } from './CreateToken';

type Token = Schemas['ApiToken'];

export function TokensPanel() {
  const [creating, setCreating] = useState(false);
  const [revoking, setRevoking] = useState<Token>();
  const tokens = useQuery({
    queryKey: ['tokens'],
    queryFn: async ({ signal }) => (await ask(api.GET('/api/auth/tokens', { signal }))).items,
  });
  const create = (
    <Button icon={<Plus aria-hidden="true" className="size-3.5" strokeWidth={2} />} onClick={() => setCreating(true)}>
      Create token
    </Button>
  );
  return (
    <Panel title="API tokens" aside={(tokens.data?.length ?? 0) > 0 ? create : undefined}>
      <Loaded query={tokens}>
        {(rows) => (
          <Table
            caption="API tokens"
            columns={columnsOf(setRevoking)}
            rows={rows}
            rowKey={({ api_token_id: id }) => id}
            empty={
              <Empty Icon={TerminalSquare} title="No API tokens" action={create}>
                A token lets a script use this account’s API, as far as you allow. See{' '}
                <a href="/api/docs" className="text-link underline underline-offset-2">
                  what the API can do
                </a>
                .
              </Empty>
            }
          />
        )}
      </Loaded>
      {creating && <CreateToken onClose={() => setCreating(false)} />}
      {revoking !== undefined && <RevokeToken token={revoking} onClose={() => setRevoking(undefined)} />}
    </Panel>
  );
}

function columnsOf(revoke: (token: Token) => void): Column<Token>[] {
  return [
    {
      name: 'Token',
      by: ({ name }) => name,
      cell: ({ name, hint }) => (
        <div>
          <p className="font-medium">{name}</p>
          <p className="font-mono text-xs text-muted">{hint}</p>
        </div>
      ),
    },
    { name: 'Scopes', wide: true, cell: ({ scopes }) => <span className="text-xs">{scopes.join(', ')}</span> },
    {
      name: 'Last used',
      wide: true,
      by: ({ last_used_at: at }) => at ?? '',
      cell: ({ last_used_at: at }) => (at === undefined ? <span className="text-muted">Never</span> : <Time at={at} />),
    },
    { name: 'Expires', by: ({ expires_at: at }) => at, cell: ({ expires_at: at }) => <Time at={at} show="day" /> },
    {
      name: 'Actions',
      hideName: true,
      right: true,
      cell: (token) => (
        <Button kind="quiet" onClick={() => revoke(token)}>
          Revoke
        </Button>
      ),
    },
  ];
}

function RevokeToken({ token, onClose }: { token: Token; onClose: () => void }) {
  const client = useQueryClient();
  const revoke = useMutation({
    mutationFn: () => ask(api.DELETE('/api/auth/tokens/{api_token_id}', { params: { path: { api_token_id: token.api_token_id } } })),
    onSuccess: async () => {
      await client.invalidateQueries({ queryKey: ['tokens'] });
      toast('Token revoked');
      onClose();
    },
  });
  return (
    <Confirm title={`Revoke “${token.name}”?`} name={token.name} action="Revoke token" busy={revoke.isPending} error={revoke.error} onConfirm={() => revoke.mutate()} onClose={onClose}>
      Scripts that use it are refused at once. This cannot be undone.
    </Confirm>
  );
}
