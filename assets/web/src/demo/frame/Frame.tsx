import { Outlet } from '@tanstack/react-router';
import { Menu, X } from 'lucide-react';
import { useState } from 'react';
import { Brand } from '../../ui/Brand';
import { Navigation } from './Navigation';
import { ThemeSwitch } from '../../ui/ThemeSwitch';

/** What surrounds every page: navigation at the left (behind a button on narrow screens), a slim bar on top. */
export function Frame() {
  const [open, setOpen] = useState(false);
  const ToggleIcon = open ? X : Menu;
  return (
    <div className="min-h-dvh lg:grid lg:grid-cols-[220px_minmax(0,1fr)]">
      <a
        href="#content"
        className="fixed left-2 top-2 z-30 -translate-y-16 rounded bg-raised px-3 py-2 text-link focus:translate-y-0"
      >
        Skip to the content
      </a>
      <aside aria-label="Sidebar" className="hidden border-r border-line bg-sunken lg:block">
        <div className="sticky top-0">
          <div className="flex h-[49px] items-center border-b border-line px-4">
            <Brand />
          </div>
          <Navigation onNavigate={() => setOpen(false)} />
        </div>
      </aside>
      <div className="min-w-0">
        <header className="sticky top-0 z-20 border-b border-line bg-page">
          <div className="flex h-12 items-center gap-2 px-4 lg:px-8">
            <button
              type="button"
              aria-expanded={open}
              aria-controls="narrow-navigation"
              aria-label="Navigation"
              onClick={() => setOpen(!open)}
              className="-ml-2 grid size-8 place-items-center rounded text-muted hover:bg-sunken hover:text-ink lg:hidden"
            >
              <ToggleIcon aria-hidden="true" className="size-4.5" strokeWidth={1.5} />
            </button>
            <div className="lg:hidden">
              <Brand />
            </div>
            <span className="hidden text-[13px] text-muted lg:block">Demo workspace</span>
            <div className="ml-auto">
              <ThemeSwitch />
            </div>
          </div>
          <div id="narrow-navigation" hidden={!open} className="border-t border-line bg-sunken lg:hidden">
            <Navigation onNavigate={() => setOpen(false)} />
          </div>
        </header>
        <main id="content" tabIndex={-1} className="outline-none">
          <Outlet />
        </main>
      </div>
    </div>
  );
}
