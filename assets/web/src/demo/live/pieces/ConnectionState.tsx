import type { Connection } from '../stream';

const TEXT: Record<Connection, string> = { connecting: 'Connecting', live: 'Live', reconnecting: 'Reconnecting' };

const DOT: Record<Connection, string> = {
  connecting: 'border border-muted',
  live: 'bg-good motion-safe:animate-pulse',
  reconnecting: 'border-2 border-warn',
};

/** As wide as its longest word, so that nothing moves when the word changes. */
export function ConnectionState({ connection }: { connection: Connection }) {
  return (
    <p className="flex h-8 min-w-32 shrink-0 items-center gap-2 rounded border border-line px-3 text-[13px]">
      <span aria-hidden="true" className={`size-2 rounded-full ${DOT[connection]}`} />
      <span data-testid="connection">{TEXT[connection]}</span>
    </p>
  );
}
