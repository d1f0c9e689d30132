import { useState } from 'react';
import type { Range } from '../server/names';
import type { FreeSpan, Span } from '../server/span';
import { ofField, spanProblem, toField } from '../server/span';
import { Button } from './Button';
import { TextField } from './Field';
import { RANGE_OPTIONS } from './RangePicker';
import { Segments } from './Segments';

const OPTIONS = [...RANGE_OPTIONS, { value: 'free', label: 'From – to' }] as const;

const LENGTH_MS: Record<Range, number> = { '1h': 3_600_000, '24h': 86_400_000, '7d': 604_800_000, '30d': 2_592_000_000, '90d': 7_776_000_000 };

/** A stretch of time that ends now, or one between two instants. */
export function TimePicker({ value, onChange }: { value: Span; onChange: (span: Span) => void }) {
  const [choosing, setChoosing] = useState(false);
  const free = choosing || !('range' in value);
  return (
    <div className="grid max-w-full min-w-0 grid-cols-[minmax(0,1fr)] gap-3">
      <Segments
        label="Time"
        value={free ? 'free' : value.range}
        options={OPTIONS}
        onChange={(next) => {
          setChoosing(next === 'free');
          if (next !== 'free') onChange({ range: next });
        }}
      />
      {free && (
        <FreeForm
          key={'range' in value ? value.range : `${value.from} ${value.to ?? ''}`}
          value={value}
          onChange={(span) => {
            setChoosing(false);
            onChange(span);
          }}
        />
      )}
    </div>
  );
}

function FreeForm({ value, onChange }: { value: Span; onChange: (span: FreeSpan) => void }) {
  const [from, setFrom] = useState(() => toField('range' in value ? Date.now() - LENGTH_MS[value.range] : value.from));
  const [to, setTo] = useState(() => ('range' in value || value.to === undefined ? '' : toField(value.to)));
  const [problem, setProblem] = useState(() => ('range' in value ? undefined : spanProblem(value)));
  return (
    <form
      // What is wrong is told in a sentence here, and not by the browser.
      noValidate
      className="grid gap-2"
      onSubmit={(event) => {
        event.preventDefault();
        // A field that is filled in half has no value, which would mean now.
        if (isHalfFilled(event.currentTarget)) {
          setProblem('Give whole dates and times.');
          return;
        }
        const span = { from: ofField(from), ...(to === '' ? {} : { to: ofField(to) }) };
        const found = spanProblem(span);
        setProblem(found);
        if (found === undefined) onChange(span);
      }}
    >
      <div className="flex flex-wrap items-end gap-3">
        <TextField label="From (UTC)" type="datetime-local" value={from} onChange={setFrom} />
        <TextField label="To (UTC), or now" type="datetime-local" value={to} onChange={setTo} />
        <Button type="submit">Show</Button>
      </div>
      <p className="text-xs text-muted">Both ends are rounded out to whole steps: minutes for recent times, hours or days for older ones.</p>
      {problem !== undefined && (
        <p role="alert" className="text-xs text-bad">
          {problem}
        </p>
      )}
    </form>
  );
}

function isHalfFilled(form: HTMLFormElement): boolean {
  return [...form.elements].some((field) => field instanceof HTMLInputElement && field.validity.badInput);
}
