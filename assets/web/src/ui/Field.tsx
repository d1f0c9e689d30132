import type { InputHTMLAttributes, ReactNode } from 'react';
import { useId } from 'react';

const INPUT = 'w-full rounded border border-line bg-page px-2.5 text-[13px] text-ink placeholder:text-muted aria-invalid:border-bad';

const NONE: readonly string[] = [];

interface FieldProps {
  label: ReactNode;
  hint?: ReactNode;
  /** What is wrong with the value, a sentence each. */
  errors?: readonly string[];
}

interface TextFieldProps extends FieldProps, Omit<InputHTMLAttributes<HTMLInputElement>, 'onChange' | 'value'> {
  value: string;
  onChange: (value: string) => void;
  prefix?: string;
}

export function TextField({ label, hint, errors = NONE, value, onChange, prefix, className = '', ...rest }: TextFieldProps) {
  const id = useId();
  return (
    <div className={className}>
      <Label id={id}>{label}</Label>
      <div className="relative mt-1">
        {prefix !== undefined && <span className="absolute inset-y-0 left-2.5 grid place-items-center text-[13px] text-muted">{prefix}</span>}
        <input
          {...rest}
          id={id}
          value={value}
          onChange={(event) => onChange(event.target.value)}
          aria-invalid={errors.length > 0}
          aria-describedby={`${id}-more`}
          className={`${INPUT} h-8 ${prefix === undefined ? '' : 'pl-6'}`}
        />
      </div>
      <More id={id} hint={hint} errors={errors} />
    </div>
  );
}

interface TextAreaProps extends FieldProps {
  value: string;
  onChange: (value: string) => void;
  rows?: number;
  placeholder?: string;
  disabled?: boolean;
}

export function TextArea({ label, hint, errors = NONE, value, onChange, rows = 4, placeholder, disabled }: TextAreaProps) {
  const id = useId();
  return (
    <div>
      <Label id={id}>{label}</Label>
      <textarea
        id={id}
        rows={rows}
        value={value}
        placeholder={placeholder}
        disabled={disabled}
        spellCheck={false}
        onChange={(event) => onChange(event.target.value)}
        aria-invalid={errors.length > 0}
        aria-describedby={`${id}-more`}
        className={`${INPUT} mt-1 py-1.5 font-mono disabled:opacity-60`}
      />
      <More id={id} hint={hint} errors={errors} />
    </div>
  );
}

interface SelectProps<T extends string> extends FieldProps {
  value: T;
  options: readonly { value: T; label: string }[];
  onChange: (value: T) => void;
  hideLabel?: boolean;
}

export function Select<T extends string>({ label, hint, errors = NONE, value, options, onChange, hideLabel = false }: SelectProps<T>) {
  const id = useId();
  return (
    <div>
      <Label id={id} hidden={hideLabel}>
        {label}
      </Label>
      <select
        id={id}
        value={value}
        aria-describedby={`${id}-more`}
        onChange={(event) => {
          const chosen = options.find((option) => option.value === event.target.value);
          if (chosen !== undefined) onChange(chosen.value);
        }}
        className={`${INPUT} h-8 ${hideLabel ? '' : 'mt-1'}`}
      >
        {options.map((option) => (
          <option key={option.value} value={option.value}>
            {option.label}
          </option>
        ))}
      </select>
      <More id={id} hint={hint} errors={errors} />
    </div>
  );
}

interface CheckboxProps {
  label: ReactNode;
  hint?: ReactNode;
  checked: boolean;
  disabled?: boolean;
  onChange: (checked: boolean) => void;
}

export function Checkbox({ label, hint, checked, disabled, onChange }: CheckboxProps) {
  const id = useId();
  return (
    <div className="flex gap-2.5 text-[13px]">
      <input
        id={id}
        type="checkbox"
        checked={checked}
        disabled={disabled}
        aria-describedby={`${id}-more`}
        onChange={(event) => onChange(event.target.checked)}
        className="mt-0.5 size-4 shrink-0 accent-(--link)"
      />
      <div>
        <label htmlFor={id} className="font-medium">
          {label}
        </label>
        {hint !== undefined && (
          <p id={`${id}-more`} className="text-muted">
            {hint}
          </p>
        )}
      </div>
    </div>
  );
}

function Label({ id, hidden = false, children }: { id: string; hidden?: boolean; children: ReactNode }) {
  return (
    <label htmlFor={id} className={hidden ? 'sr-only' : 'text-[13px] font-medium'}>
      {children}
    </label>
  );
}

function More({ id, hint, errors }: { id: string; hint: ReactNode; errors: readonly string[] }) {
  return (
    <div id={`${id}-more`} className="text-xs">
      {errors.map((error) => (
        <p key={error} className="mt-1 text-bad">
          {error}
        </p>
      ))}
      {hint !== undefined && <p className="mt-1 text-muted">{hint}</p>}
    </div>
  );
}
