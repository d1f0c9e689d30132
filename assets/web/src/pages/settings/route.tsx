import { Link } from '@tanstack/react-router';
import { buttonClass } from '../../ui/Button';
import { Page } from '../../ui/Page';
import { Panel } from '../../ui/Panel';
import { ThemeSwitch } from '../../ui/ThemeSwitch';
import { ProfilePanel } from './ProfilePanel';
import { SessionsPanel } from './SessionsPanel';
import { TokensPanel } from './TokensPanel';

export function SettingsPage() {
  return (
    <Page eyebrow="Account" title="Settings" about="Your profile, where you are signed in, tokens for scripts, and how the dashboard looks.">
      <ProfilePanel />
      <SessionsPanel />
      <TokensPanel />
      <Panel title="Alerts">
        <div className="flex flex-wrap items-center justify-between gap-3 px-4 py-4 text-[13px] sm:px-5">
          <p className="max-w-xl text-pretty text-muted">Invoices, payments and the spend cap are told under the bell at the top. Set a cap to hear about a month’s usage at 50, 75, 90 and 100 %.</p>
          <Link to="/billing" hash="spend-cap" className={buttonClass()}>
            Spend cap
          </Link>
        </div>
      </Panel>
      <Panel title="Appearance">
        <div className="flex flex-wrap items-center justify-between gap-3 px-4 py-4 text-[13px] sm:px-5">
          <p className="text-muted">Light, dark, or as your system has it.</p>
          <ThemeSwitch name="theme-settings" />
        </div>
      </Panel>
    </Page>
  );
}
