import { formatDay, formatInstant, formatLocal, formatTimeOfDay } from '../format';

interface TimeProps {
  /** RFC 3339. */
  at: string;
  show?: 'minute' | 'second' | 'day' | 'time';
}

/** An instant in UTC; hovering tells it in the reader's own time. */
export function Time({ at, show = 'minute' }: TimeProps) {
  const ms = Date.parse(at);
  return (
    <time dateTime={at} title={formatLocal(ms)}>
      {show === 'day' || show === 'time' ? (
        <span className="whitespace-nowrap">{show === 'day' ? formatDay(ms) : formatTimeOfDay(ms)}</span>
      ) : (
        <DayAndTime text={formatInstant(ms, show === 'second')} />
      )}
    </time>
  );
}

/** Where there is no room for both, the time of day goes to a line of its own. */
function DayAndTime({ text }: { text: string }) {
  const [day, time] = text.split(', ');
  return (
    <>
      <span className="whitespace-nowrap">{day},</span> <span className="whitespace-nowrap">{time}</span>
    </>
  );
}
