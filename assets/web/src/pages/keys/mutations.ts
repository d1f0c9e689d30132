/** What is done to API keys. The list is asked anew after each. */
import { useMutation, useQueryClient } from '@tanstack/react-query';
import type { Schemas } from '../../server/api';
import { api, ask } from '../../server/api';
import type { ServiceName } from '../../server/names';
import { toast } from '../../ui/toasts';

export type ApiKey = Schemas['ApiKey'];
export type CreatedApiKey = Schemas['CreatedApiKey'];

export type KeyAction =
  | { do: 'revoke' | 'enable' | 'delete'; key: ApiKey }
  | { do: 'change'; key: ApiKey; change: Schemas['ApiKeyChange'] };

/** The text of a key is not kept once the dialog is closed. */
const FORGET_AT_ONCE = 0;

const DONE: Record<KeyAction['do'], string> = { revoke: 'Key revoked', enable: 'Key enabled', delete: 'Key deleted', change: 'Key changed' };

export function useKeyAction(service: ServiceName, onDone?: () => void) {
  const refresh = useRefreshKeys();
  return useMutation({
    mutationFn: (action: KeyAction) => act(service, action),
    onSuccess: async (_, action) => {
      await refresh();
      toast(DONE[action.do]);
      onDone?.();
    },
  });
}

export function useCreateKey(service: ServiceName) {
  const refresh = useRefreshKeys();
  return useMutation({
    mutationFn: (body: Schemas['NewApiKey']): Promise<CreatedApiKey> => ask(api.POST('/api/services/{service}/api-keys', { params: { path: { service } }, body })),
    onSuccess: refresh,
    gcTime: FORGET_AT_ONCE,
  });
}

export function useRotateKey(service: ServiceName) {
  const refresh = useRefreshKeys();
  return useMutation({
    mutationFn: ({ key, overlapS }: { key: ApiKey; overlapS: number }): Promise<CreatedApiKey> =>
      ask(
        api.POST('/api/services/{service}/api-keys/{api_key_id}/rotate', {
          params: { path: { service, api_key_id: key.api_key_id } },
          body: { overlap_s: overlapS },
        }),
      ),
    onSuccess: refresh,
    gcTime: FORGET_AT_ONCE,
  });
}

export function useRevealKey(service: ServiceName) {
  return useMutation({
    mutationFn: (key: ApiKey) => ask(api.POST('/api/services/{service}/api-keys/{api_key_id}/reveal', { params: { path: { service, api_key_id: key.api_key_id } } })),
    gcTime: FORGET_AT_ONCE,
  });
}

function useRefreshKeys(): () => Promise<void> {
  const client = useQueryClient();
  return async () => {
    void client.invalidateQueries({ queryKey: ['billing'] });
    // A service says at how many gateways its keys are in force as they are now.
    await Promise.all([['keys'], ['traffic', 'keys'], ['services']].map((queryKey) => client.invalidateQueries({ queryKey })));
  };
}

function act(service: ServiceName, action: KeyAction): Promise<ApiKey> {
  const params = { params: { path: { service, api_key_id: action.key.api_key_id } } };
  switch (action.do) {
    case 'revoke':
      return ask(api.POST('/api/services/{service}/api-keys/{api_key_id}/revoke', params));
    case 'enable':
      return ask(api.POST('/api/services/{service}/api-keys/{api_key_id}/enable', params));
    case 'delete':
      return ask(api.DELETE('/api/services/{service}/api-keys/{api_key_id}', params));
    case 'change':
      return ask(api.PATCH('/api/services/{service}/api-keys/{api_key_id}', { ...params, body: action.change }));
  }
}
