import type { ServiceName } from '../../server/names';
import { Banner } from '../../ui/Banner';
import { CopyBox } from '../../ui/Copy';
import { TryIt } from './TryIt';

interface KeyTextProps {
  service: ServiceName;
  text: string;
  once: boolean;
  onCopied?: () => void;
}

/** A key's text, when it is shown, and a command that uses it. */
export function KeyText({ service, text, once, onCopied }: KeyTextProps) {
  return (
    <div className="grid gap-4">
      {once && (
        <Banner tone="warn" title="Copy it now: it is shown only once">
          We keep it encrypted and cannot show it again. If it is lost, rotate the key.
        </Banner>
      )}
      <div>
        <p className="mb-1 text-[13px] font-medium">API key</p>
        <CopyBox text={text} what="API key" wrap onCopied={onCopied} />
      </div>
      <div>
        <p className="mb-1 text-[13px] font-medium">Try it</p>
        <TryIt service={service} text={text} />
      </div>
    </div>
  );
}
