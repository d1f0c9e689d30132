import { useMutation, useQueryClient } from '@tanstack/react-query';
import { api, ask } from '../../server/api';
import { Button } from '../../ui/Button';
import { Problem } from '../../ui/Problem';
import { toast } from '../../ui/toasts';

export function AcceptTerms({ version }: { version: number }) {
  const client = useQueryClient();
  const accept = useMutation({
    mutationFn: () => ask(api.POST('/api/customer/terms', { body: { version } })),
    onSuccess: async () => {
      await client.invalidateQueries({ queryKey: ['customer'] });
      toast('Terms accepted');
    },
  });
  return (
    <>
      <Button busy={accept.isPending} onClick={() => accept.mutate()}>
        Accept the terms
      </Button>
      {accept.error !== null && (
        <div className="basis-full">
          <Problem error={accept.error} onRetry={() => accept.mutate()} />
        </div>
      )}
    </>
  );
}
