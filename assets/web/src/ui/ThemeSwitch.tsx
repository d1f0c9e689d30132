import { Monitor, Moon, Sun } from 'lucide-react';
import type { ThemeChoice } from '../theme';
import { chooseTheme, useThemeChoice } from '../theme';

const CHOICES = [
  { choice: 'light', label: 'Light', Icon: Sun },
  { choice: 'dark', label: 'Dark', Icon: Moon },
  { choice: 'system', label: 'System', Icon: Monitor },
] satisfies { choice: ThemeChoice; label: string; Icon: typeof Sun }[];

/** Radio buttons, so that arrow keys work without a line of code. */
export function ThemeSwitch({ name = 'theme' }: { name?: string }) {
  const current = useThemeChoice();
  return (
    <fieldset className="flex w-fit rounded border border-line p-0.5">
      <legend className="sr-only">Theme</legend>
      {CHOICES.map(({ choice, label, Icon }) => (
        <label
          key={choice}
          title={label}
          className="grid h-7 w-8 cursor-pointer place-items-center rounded-[3px] text-muted hover:text-ink has-checked:bg-selected has-checked:text-link has-focus-visible:outline-2 has-focus-visible:outline-offset-1 has-focus-visible:outline-link"
        >
          <input
            type="radio"
            name={name}
            value={choice}
            checked={current === choice}
            onChange={() => chooseTheme(choice)}
            className="sr-only"
          />
          <Icon aria-hidden="true" className="size-4" strokeWidth={1.5} />
          <span className="sr-only">{label}</span>
        </label>
      ))}
    </fieldset>
  );
}
