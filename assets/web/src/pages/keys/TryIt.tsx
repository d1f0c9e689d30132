import { useQuery } from '@tanstack/react-query';
import type { ServiceName } from '../../server/names';
import { SERVICE_LABEL } from '../../server/names';
import { siteQuery } from '../../server/queries';
import { CopyBox } from '../../ui/Copy';
import { addressOf, curlLine } from './curl';

/** A command that sends a request with a key, to where the service listens. */
export function TryIt({ service, text }: { service: ServiceName; text: string }) {
  const site = useQuery(siteQuery);
  if (site.isPending) return <div className="h-9" />;
  const address = addressOf(service, site.data?.service_urls ?? {}, window.location.hostname);
  return (
    <>
      <CopyBox text={curlLine(service, text, address)} what="command" />
      {address.isGuess && (
        <p className="mt-1 text-xs text-pretty text-muted">
          This site has not said where {SERVICE_LABEL[service]} listens, so this is its own host. If nothing answers there, ask its operator for the address.
        </p>
      )}
    </>
  );
}
