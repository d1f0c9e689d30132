import { Link, useRouterState } from '@tanstack/react-router';
import { ChevronRight } from 'lucide-react';
import { useState } from 'react';
import type { Entry, Leaf } from './navigation';
import { NAVIGATION } from './navigation';

const ITEM = 'relative flex h-8 items-center gap-2.5 rounded px-3 text-muted hover:bg-selected hover:text-ink';
const ACTIVE =
  'bg-selected font-medium !text-link before:absolute before:inset-y-1.5 before:left-0 before:w-0.5 before:rounded before:bg-link';

export function Navigation({ onNavigate }: { onNavigate: () => void }) {
  return (
    <nav aria-label="Pages" className="p-3 text-[13px]">
      {NAVIGATION.map(({ group, entries }) => (
        <div key={group}>
          {group !== '' && <p className="px-3 pb-1 pt-4 text-xs text-muted">{group}</p>}
          <ul className="grid gap-px">
            {entries.map((entry) => (
              <li key={entry.to}>
                {entry.leaves === undefined ? (
                  <Item leaf={entry} onNavigate={onNavigate}>
                    <entry.Icon aria-hidden="true" className="size-4 shrink-0" strokeWidth={1.5} />
                    {entry.label}
                  </Item>
                ) : (
                  <Group entry={entry} leaves={entry.leaves} onNavigate={onNavigate} />
                )}
              </li>
            ))}
          </ul>
        </div>
      ))}
    </nav>
  );
}

/** Open while one of its pages is shown, and whenever the reader opens it. */
function Group({ entry, leaves, onNavigate }: { entry: Entry; leaves: readonly Leaf[]; onNavigate: () => void }) {
  const path = useRouterState({ select: ({ location }) => location.pathname });
  const here = path === entry.to || path.startsWith(`${entry.to}/`);
  const [chosen, setChosen] = useState<{ path: string; open: boolean }>();
  const open = chosen !== undefined && (chosen.path === path || !here) ? chosen.open : here;
  const id = `group${entry.to.replaceAll('/', '-')}`;
  return (
    <>
      <button type="button" aria-expanded={open} aria-controls={id} onClick={() => setChosen({ path, open: !open })} className={`${ITEM} w-full ${here ? '!text-ink' : ''}`}>
        <entry.Icon aria-hidden="true" className="size-4 shrink-0" strokeWidth={1.5} />
        <span className="truncate">{entry.label}</span>
        <ChevronRight aria-hidden="true" className={`ml-auto size-3.5 shrink-0 transition-transform ${open ? 'rotate-90' : ''}`} strokeWidth={1.75} />
      </button>
      <ul id={id} hidden={!open} className="mb-1 mt-px grid gap-px">
        {leaves.map((leaf) => (
          <li key={leaf.to}>
            <Item leaf={leaf} onNavigate={onNavigate}>
              <span className="pl-6.5">{leaf.label}</span>
            </Item>
          </li>
        ))}
      </ul>
    </>
  );
}

function Item({ leaf, onNavigate, children }: { leaf: Leaf; onNavigate: () => void; children: React.ReactNode }) {
  return (
    <Link to={leaf.to} onClick={onNavigate} activeOptions={{ exact: leaf.exact === true, includeSearch: false }} className={ITEM} activeProps={{ className: ACTIVE }}>
      {children}
    </Link>
  );
}
