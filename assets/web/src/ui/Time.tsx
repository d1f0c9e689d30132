import { formatDay, formatInstant, formatLocal } from '../format';

interface TimeProps {
  /** RFC 3339. */
  at: string;
  show?: 'minute' | 'second' | 'day';
}

/** An instant in UTC; hovering tells it in the reader's own time. */
export function Time({ at, show = 'minute' }: TimeProps) {
  const ms = Date.parse(at);
  return (
    <time dateTime={at} title={formatLocal(ms)} className="whitespace-nowrap">
      {show === 'day' ? formatDay(ms) : formatInstant(ms, show === 'second')}
    </time>
  );
}
