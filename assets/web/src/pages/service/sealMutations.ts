/** What is done to Seal keys and their packages. */
import { useMutation, useQueryClient } from '@tanstack/react-query';
import type { Schemas } from '../../server/api';
import { api, ask } from '../../server/api';
import { toast } from '../../ui/toasts';

type SealKey = Schemas['SealKey'];
type SealPackage = Schemas['SealPackage'];

export type SealAction =
  | { do: 'create'; body: Schemas['NewSealKey'] }
  | { do: 'change'; key: SealKey; change: Schemas['SealKeyChange'] }
  | { do: 'delete'; key: SealKey }
  | { do: 'add-package'; key: SealKey; body: Schemas['NewSealPackage'] }
  | { do: 'rename-package'; key: SealKey; package: SealPackage; name: string }
  | { do: 'remove-package'; key: SealKey; package: SealPackage };

const DONE: Record<SealAction['do'], string> = {
  create: 'Seal key created; it is being registered',
  change: 'Seal key changed',
  delete: 'Seal key deleted',
  'add-package': 'Package added; the key is registered again',
  'rename-package': 'Package renamed',
  'remove-package': 'Package removed; the key is registered again',
};

export function useSealAction(onDone?: () => void) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: act,
    onSuccess: async (_, action) => {
      void client.invalidateQueries({ queryKey: ['billing'] });
      // The service says whether gateways work with it already.
      await Promise.all([['seal-keys'], ['services']].map((queryKey) => client.invalidateQueries({ queryKey })));
      toast(DONE[action.do]);
      onDone?.();
    },
  });
}

function act(action: SealAction): Promise<SealKey> {
  if (action.do === 'create') return ask(api.POST('/api/services/seal/keys', { body: action.body }));
  const id = action.key.seal_key_id;
  const params = { params: { path: { seal_key_id: id } } };
  switch (action.do) {
    case 'change':
      return ask(api.PATCH('/api/services/seal/keys/{seal_key_id}', { ...params, body: action.change }));
    case 'delete':
      return ask(api.DELETE('/api/services/seal/keys/{seal_key_id}', params));
    case 'add-package':
      return ask(api.POST('/api/services/seal/keys/{seal_key_id}/packages', { ...params, body: action.body }));
    case 'rename-package':
      return ask(api.PATCH('/api/services/seal/keys/{seal_key_id}/packages/{seal_package_id}', { ...packageOf(id, action.package), body: { name: action.name } }));
    case 'remove-package':
      return ask(api.DELETE('/api/services/seal/keys/{seal_key_id}/packages/{seal_package_id}', packageOf(id, action.package)));
  }
}

function packageOf(sealKeyId: string, { seal_package_id: packageId }: SealPackage) {
  return { params: { path: { seal_key_id: sealKeyId, seal_package_id: packageId } } };
}
