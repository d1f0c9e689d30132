import type { KeyboardEvent, ReactNode } from 'react';
import { useEffect, useRef, useState } from 'react';

interface MenuProps {
  /** What the button does, for those who do not see it; left out if its own text says it. */
  label?: string;
  button: ReactNode;
  buttonClass?: string;
  children: (close: () => void) => ReactNode;
  width?: string;
}

/** Under the button, or above it where there is more room; never beyond the edge, where it would have to be scrolled to. */
interface Place {
  top?: number;
  bottom?: number;
  right: number;
  maxHeight: number;
}

/** A button that opens a panel at it. Escape, scrolling, a click elsewhere or leaving it with Tab closes it. */
export function Menu({ label, button, buttonClass = '', children, width = 'w-72' }: MenuProps) {
  const [place, setPlace] = useState<Place>();
  const open = place !== undefined;
  const close = () => setPlace(undefined);
  const box = useRef<HTMLDivElement>(null);
  const toggle = useRef<HTMLButtonElement>(null);
  useEffect(() => {
    if (!open) return undefined;
    const outside = (event: PointerEvent) => {
      if (event.target instanceof Node && box.current?.contains(event.target) === false) setPlace(undefined);
    };
    const away = (event: Event) => {
      if (event.target === document) setPlace(undefined);
    };
    document.addEventListener('pointerdown', outside);
    document.addEventListener('scroll', away);
    return () => {
      document.removeEventListener('pointerdown', outside);
      document.removeEventListener('scroll', away);
    };
  }, [open]);
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key !== 'Escape' || !open) return;
    close();
    toggle.current?.focus();
  };
  return (
    // The keys that bubble up here come from the button and the panel, which are the elements to act on.
    // oxlint-disable-next-line jsx-a11y/no-static-element-interactions
    <div
      ref={box}
      className="relative"
      onKeyDown={onKeyDown}
      onBlur={(event) => {
        if (event.relatedTarget instanceof Node && !event.currentTarget.contains(event.relatedTarget)) close();
      }}
    >
      <button ref={toggle} type="button" aria-label={label} aria-expanded={open} onClick={(event) => setPlace(open ? undefined : placeAt(event.currentTarget))} className={buttonClass}>
        {button}
      </button>
      {open && (
        // Fixed, so that a table that scrolls sideways does not cut it off.
        <div style={place} className={`fixed z-30 max-w-[calc(100vw-2rem)] overflow-y-auto rounded-md border border-line bg-raised py-1 shadow-lg ${width}`}>
          {children(close)}
        </div>
      )}
    </div>
  );
}

const GAP_PX = 6;
const EDGE_PX = 16;

/** What most menus need. */
const ENOUGH_PX = 320;

function placeAt(button: HTMLElement): Place {
  const { top, bottom, right: end } = button.getBoundingClientRect();
  const { clientWidth, clientHeight } = document.documentElement;
  const right = Math.max(EDGE_PX, clientWidth - end);
  const below = clientHeight - bottom - GAP_PX - EDGE_PX;
  const above = top - GAP_PX - EDGE_PX;
  if (below >= ENOUGH_PX || below >= above) return { top: bottom + GAP_PX, right, maxHeight: below };
  return { bottom: clientHeight - top + GAP_PX, right, maxHeight: above };
}

export const MENU_ITEM = 'flex h-8 w-full items-center gap-2.5 px-3 text-left text-[13px] hover:bg-selected disabled:opacity-50';
