import { Outlet } from '@tanstack/react-router';
import { Menu as MenuIcon, X } from 'lucide-react';
import { useRef, useState } from 'react';
import { useLive } from '../server/live';
import { Brand } from '../ui/Brand';
import { ThemeSwitch } from '../ui/ThemeSwitch';
import { AccountBanners } from './AccountBanners';
import { LiveState } from './LiveState';
import { LostBanner } from './LostBanner';
import { Navigation } from './Navigation';
import { NoticesMenu } from './NoticesMenu';
import { PrintHead } from './PrintHead';
import { Toasts } from './Toasts';
import { useArrival } from './useArrival';
import { WalletMenu } from './WalletMenu';

/** What surrounds every page of the account: navigation at the left (behind a button on narrow screens), a slim bar on top. */
export function Shell() {
  const isLive = useLive();
  const content = useRef<HTMLElement>(null);
  const arrivedAt = useArrival(content);
  const [open, setOpen] = useState(false);
  const close = () => setOpen(false);
  const ToggleIcon = open ? X : MenuIcon;
  return (
    <div className="shell min-h-dvh lg:grid lg:grid-cols-[220px_minmax(0,1fr)]">
      <a href="#content" className="no-print fixed left-2 top-2 z-40 -translate-y-16 rounded bg-raised px-3 py-2 text-link focus:translate-y-0">
        Skip to the content
      </a>
      <aside aria-label="Sidebar" className="hidden border-r border-line bg-sunken lg:block">
        <div className="sticky top-0 max-h-dvh overflow-y-auto">
          <div className="flex h-[49px] items-center border-b border-line px-4">
            <Brand />
          </div>
          <Navigation onNavigate={close} />
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
            <div className="max-sm:hidden lg:hidden">
              <Brand />
            </div>
            <div className="ml-auto flex items-center gap-2">
              <LiveState isLive={isLive} />
              <NoticesMenu />
              <WalletMenu />
              <div className="max-sm:hidden">
                <ThemeSwitch />
              </div>
            </div>
          </div>
          <div id="narrow-navigation" hidden={!open} className="max-h-[calc(100dvh-49px)] overflow-y-auto border-t border-line bg-sunken lg:hidden">
            <Navigation onNavigate={close} />
            <div className="border-t border-line p-4 sm:hidden">
              <ThemeSwitch name="theme-narrow" />
            </div>
          </div>
        </header>
        <LostBanner />
        <p role="status" className="sr-only">
          {arrivedAt}
        </p>
        <main ref={content} id="content" tabIndex={-1} className="outline-none">
          <PrintHead />
          <AccountBanners />
          <Outlet />
        </main>
      </div>
      <Toasts />
    </div>
  );
}
