import { useId } from 'react';

interface SegmentsProps<T extends string> {
  label: string;
  value: T;
  options: readonly { value: T; label: string }[];
  onChange: (value: T) => void;
}

/** One of a few, side by side. Radio buttons, so that arrow keys work. */
export function Segments<T extends string>({ label, value, options, onChange }: SegmentsProps<T>) {
  const name = useId();
  return (
    <fieldset className="relative flex w-fit max-w-full min-w-0 overflow-x-auto rounded border max-sm:flex-wrap border-line p-0.5">
      <legend className="sr-only">{label}</legend>
      {options.map((option) => (
        <label
          key={option.value}
          className="grid h-6 cursor-pointer place-items-center rounded-[3px] px-2.5 text-xs whitespace-nowrap text-muted hover:text-ink has-checked:bg-selected has-checked:font-medium has-checked:text-link has-focus-visible:outline-2 has-focus-visible:outline-link"
        >
          <input type="radio" name={name} value={option.value} checked={option.value === value} onChange={() => onChange(option.value)} className="sr-only" />
          {option.label}
        </label>
      ))}
    </fieldset>
  );
}
