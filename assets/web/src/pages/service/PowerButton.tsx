import { Power } from 'lucide-react';
import { useState } from 'react';
import type { ServiceName } from '../../server/names';
import type { Service } from '../../server/queries';
import { SERVICE_LABEL } from '../../server/names';
import { Button } from '../../ui/Button';
import { Confirm } from '../../ui/Confirm';
import { Dialog } from '../../ui/Dialog';
import { Problem } from '../../ui/Problem';
import { allowed } from './allowed';
import { useServiceAction } from './mutations';

/** Turning off is confirmed, because every key stops; turning on is not. */
export function PowerButton({ name, service }: { name: ServiceName; service: Service }) {
  const [asking, setAsking] = useState(false);
  const action = useServiceAction(name, () => setAsking(false));
  const label = SERVICE_LABEL[name];
  const ask = () => {
    // What failed the last time is not a failure of this time.
    action.reset();
    setAsking(true);
  };
  const { turnOn, turnOff } = allowed(service);
  if (turnOff) {
    return (
      <>
        <Button icon={<Power aria-hidden="true" className="size-3.5" strokeWidth={1.75} />} onClick={ask}>
          Turn off
        </Button>
        {asking && (
          <Confirm
            title={`Turn ${label} off?`}
            action={`Turn ${label} off`}
            busy={action.isPending}
            error={action.error}
            onConfirm={() => action.mutate({ do: 'disable' })}
            onClose={() => setAsking(false)}
          >
            Every key of {label} answers 503 within a second, until you turn it on again. The subscription goes on.
          </Confirm>
        )}
      </>
    );
  }
  if (!turnOn) return null;
  return (
    <>
      <Button
        kind="primary"
        busy={action.isPending}
        icon={<Power aria-hidden="true" className="size-3.5" strokeWidth={1.75} />}
        onClick={() => action.mutate({ do: 'enable' })}
      >
        Turn on
      </Button>
      {action.error !== null && (
        <Dialog title={`${label} stays off`} onClose={() => action.reset()}>
          <Problem error={action.error} />
        </Dialog>
      )}
    </>
  );
}
