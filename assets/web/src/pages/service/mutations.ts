/** What is done to a service. Each answer is the service as it is afterwards, so it is put where the pages read it. */
import { useMutation, useQueryClient } from '@tanstack/react-query';
import type { Schemas } from '../../server/api';
import { api, ask } from '../../server/api';
import type { ServiceName } from '../../server/names';
import type { Service } from '../../server/queries';
import { SERVICE_LABEL, tierLabel } from '../../server/names';
import { serviceQuery } from '../../server/queries';
import { refreshAccount } from '../../server/refresh';
import { toast } from '../../ui/toasts';

export type ServiceAction =
  | { do: 'enable' | 'disable' | 'cancel' | 'undo_cancel' }
  | { do: 'subscribe' | 'change_tier'; choice: Schemas['TierChoice'] }
  | { do: 'settings'; change: Schemas['ServiceSettingsChange'] };

export function useServiceAction(service: ServiceName, onDone?: (after: Service) => void) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (action: ServiceAction) => act(service, action),
    onSuccess: (after, action) => {
      client.setQueryData(serviceQuery(service).queryKey, after);
      refreshAccount(client);
      toast(doneText(SERVICE_LABEL[service], action));
      onDone?.(after);
    },
  });
}

function act(service: ServiceName, action: ServiceAction): Promise<Service> {
  const params = { params: { path: { service } } };
  switch (action.do) {
    case 'enable':
      return ask(api.POST('/api/services/{service}/enable', params));
    case 'disable':
      return ask(api.POST('/api/services/{service}/disable', params));
    case 'cancel':
      return ask(api.POST('/api/services/{service}/cancel', params));
    case 'undo_cancel':
      return ask(api.POST('/api/services/{service}/undo-cancel', params));
    case 'subscribe':
      return ask(api.POST('/api/services/{service}/subscribe', { ...params, body: action.choice }));
    case 'change_tier':
      return ask(api.POST('/api/services/{service}/tier', { ...params, body: action.choice }));
    case 'settings':
      return ask(api.PATCH('/api/services/{service}', { ...params, body: action.change }));
  }
}

function doneText(label: string, action: ServiceAction): string {
  switch (action.do) {
    case 'enable':
      return `${label} is on`;
    case 'disable':
      return `${label} is off`;
    case 'cancel':
      return `${label} is cancelled`;
    case 'undo_cancel':
      return `${label} goes on`;
    case 'subscribe':
      return `Subscribed to ${label} ${tierLabel(action.choice.tier)}`;
    case 'change_tier':
      return `${label}: ${tierLabel(action.choice.tier)}`;
    case 'settings':
      return 'Settings saved';
  }
}
