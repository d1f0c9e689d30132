// Every page of the dashboard, and states that most people never see: `pages.test.mjs` asks axe and the layout about them, and
// `gallery.mjs` takes their pictures.

import { pretend as pretendAt } from './account.mjs';
import { visit } from './support.mjs';

/*
 * A page or state: `path` is opened after `before`, and `after` does something on it. It is there when no part of it is loading, it has
 * drawn the `charts` that it should have, and `shows` (a text) is to be seen. `done` puts the browser back. `whole` is false for what lies
 * over a page.
 */
const pretend = (path, change) => (page, origin) => pretendAt(page, origin + path, change);
const click = (name) => (page) => page.getByRole('button', { name, exact: true }).first().click();
const broken = (title, code, status = 503) => ({ status, contentType: 'application/problem+json', json: { type: 'about:blank', title, status, code } });
const is = (path, state, rest = {}) => pretend(path, (answer) => ({ ...answer, state, ...rest }));

/** Of an account with a month of traffic. */
export const PAGES = {
  home: { path: '/', charts: 1 },
  welcome: { path: '/welcome' },
  seal: { path: '/services/seal', charts: 1 },
  'seal-traffic': { path: '/services/seal/traffic', charts: 2 },
  'seal-keys': { path: '/services/seal/keys' },
  'seal-seal-keys': { path: '/services/seal/seal-keys' },
  'seal-logs': { path: '/services/seal/logs' },
  'seal-settings': { path: '/services/seal/settings' },
  graphql: { path: '/services/graphql' },
  'graphql-subscribe': { path: '/services/graphql?tier=pro', shows: 'Charged today', whole: false },
  billing: { path: '/billing' },
  invoices: { path: '/billing/invoices' },
  invoice: { path: '/billing/invoices/INV-000001' },
  draft: { path: '/billing/invoices/draft' },
  escrow: { path: '/billing/escrow' },
  credits: { path: '/billing/credits' },
  statement: { path: '/billing/statement' },
  'api-keys': { path: '/api-keys' },
  activity: { path: '/activity' },
  network: { path: '/network' },
  support: { path: '/support' },
  settings: { path: '/settings' },
  terms: { path: '/terms' },
  nowhere: { path: '/nowhere' },
};

/** The same account's, at moments. */
export const STATES = {
  'seal-traffic-30d': { path: '/services/seal/traffic?range=30d&by=status&of=keys', charts: 2 },
  'seal-traffic-bandwidth': { path: '/services/seal/traffic?range=7d&by=bandwidth&of=client_ips', charts: 2 },
  'seal-keys-menu': { path: '/services/seal/keys', after: click('Actions of production'), shows: 'Rotate', whole: false },
  'seal-keys-create': { path: '/services/seal/keys', after: click('Create key'), shows: 'Can be shown again', whole: false },
  'seal-logs-filtered': { path: '/services/seal/logs?range=7d&status=502' },
  'seal-logs-request': { path: '/services/seal/logs', after: (page) => page.getByRole('row').nth(1).click(), shows: 'Billed', whole: false },
  'seal-logs-live': { path: '/services/seal/logs', after: click('Live'), shows: 'Following', whole: false },
  'draft-hours': { path: '/billing/invoices/draft', after: click('Hours'), shows: 'Hours', whole: false },
  'invoice-failed': { path: '/billing/invoices/INV-000001', before: is('/api/billing/invoices/INV-000001', 'failed'), shows: 'This invoice could not be paid' },
  'invoice-pending': { path: '/billing/invoices/INV-000001', before: is('/api/billing/invoices/INV-000001', 'pending', { retry_at: '2030-01-02T03:04:05Z' }), shows: 'Payment pending' },
  'invoice-voided': { path: '/billing/invoices/INV-000001', before: is('/api/billing/invoices/INV-000001', 'voided'), shows: 'Voided, nothing to pay' },
  'invoice-missing': { path: '/billing/invoices/INV-999999', shows: 'There is nothing here' },
  'escrow-deposit': { path: '/billing/escrow?action=deposit', shows: 'Your wallet holds', whole: false },
  'settings-token': { path: '/settings', after: click('Create token'), shows: 'Create an API token', whole: false },
  'wallet-menu': { path: '/', after: (page) => page.getByTestId('wallet-balance').click(), shows: 'Sign out', whole: false },
  notices: { path: '/', after: (page) => page.getByRole('button', { name: /^Notices/ }).click(), shows: 'Mark all as read', whole: false },
  'home-loading': { path: '/', before: (page) => page.route('**/api/traffic/**', () => undefined), loading: true },
  'home-error': { path: '/', before: (page) => page.route('**/api/traffic/s*', (route) => route.fulfill(broken('Busy', 'query_timeout'))), shows: 'The question was too large' },
  'home-grace': { path: '/', before: pretend('/api/billing', { standing: 'grace', owed_micros: 29_000_000, suspends_at: '2030-01-02T03:04:05Z' }), shows: 'Payment overdue' },
  'home-suspended': {
    path: '/',
    before: async (page, origin) => {
      await pretendAt(page, `${origin}/api/billing`, { standing: 'suspended', owed_micros: 29_000_000 });
      await pretendAt(page, `${origin}/api/services`, (answer) => ({ ...answer, items: answer.items.map((one) => (one.state === 'enabled' ? { ...one, state: 'suspended_no_payment', keys_work: false } : one)) }));
    },
    shows: 'Services are stopped',
  },
  'home-on-hold': { path: '/', before: pretend('/api/billing', { standing: 'on_hold' }), shows: 'Billing is on hold' },
  'account-suspended': { path: '/settings', before: pretend('/api/customer', { status: 'suspended' }), shows: 'This account is suspended' },
  'seal-waits': {
    path: '/services/seal',
    before: pretend('/api/services/seal', { state: 'disabled', awaits_payment: true, keys_work: false, banner: 'Seal waits for its first payment. Keys can be made once it is paid for.' }),
    shows: 'waits for its first payment',
  },
  'seal-updating': { path: '/services/seal', before: pretend('/api/services/seal', { sync: 'pending' }), shows: 'Updating' },
  'seal-cancelled': { path: '/services/seal', before: is('/api/services/seal', 'cancellation_pending', { cancel_at: '2030-01-02T03:04:05Z' }), shows: 'Ends on' },
  'billing-error': { path: '/billing', before: (page) => page.route('**/api/billing', (route) => route.fulfill(broken('Oops', 'internal', 500))), shows: 'Something went wrong on our side' },
  offline: {
    path: '/',
    after: async (page) => {
      await page.getByTestId('requests').waitFor();
      await page.context().setOffline(true);
    },
    shows: 'Connection lost',
    done: (page) => page.context().setOffline(false),
    whole: false,
  },
};

/** Of an account that has nothing yet. */
export const EMPTY = {
  home: { path: '/', shows: 'No requests in the last 24 hours' },
  welcome: { path: '/welcome', shows: 'Five steps' },
  seal: { path: '/services/seal', shows: 'Choose Pro' },
  'seal-traffic': { path: '/services/seal/traffic' },
  'seal-keys': { path: '/services/seal/keys' },
  'seal-seal-keys': { path: '/services/seal/seal-keys', shows: 'Not subscribed to Seal' },
  'seal-logs': { path: '/services/seal/logs' },
  'seal-settings': { path: '/services/seal/settings', shows: 'Nothing to set yet' },
  billing: { path: '/billing', shows: 'Nothing is billed yet' },
  invoices: { path: '/billing/invoices' },
  escrow: { path: '/billing/escrow', shows: 'No transactions yet' },
  credits: { path: '/billing/credits' },
  statement: { path: '/billing/statement', shows: 'No entries yet' },
  'api-keys': { path: '/api-keys' },
  network: { path: '/network' },
};

/** Opens it and waits until it is there. What was pretended holds until `leave`. */
export async function show(page, origin, { path, before, after, charts = 0, shows, loading = false }) {
  await before?.(page, origin);
  await visit(page, origin + path, { waitUntil: 'commit' });
  await page.getByRole('heading', { level: 1 }).waitFor();
  if (!loading) await page.waitForFunction(isThere, charts);
  await after?.(page);
  if (shows !== undefined) await page.getByText(shows).filter({ visible: true }).first().waitFor({ timeout: 60_000 });
}

/** Nothing is loading, and so many charts are drawn. Runs in the page. */
function isThere(charts) {
  const isLoading = [...document.querySelectorAll('[role=status]')].some((one) => one.textContent === 'Loading' || one.ariaLabel === 'Loading');
  return !isLoading && document.querySelector('.motion-safe\\:animate-pulse[class*=bg-line]') === null && document.querySelectorAll('canvas').length >= charts;
}

export async function leave(page, { done }) {
  await done?.(page);
  await page.unrouteAll({ behavior: 'ignoreErrors' });
}

/** Ends the session, and shows the page to sign in on. */
export async function signOut(page, origin) {
  await page.evaluate(() => fetch('/api/auth/logout', { method: 'POST' }));
  await page.evaluate(() => localStorage.removeItem('suiftly.wallet'));
  await page.goto(`${origin}/login`);
  await page.getByRole('button', { name: /Demo wallet/ }).waitFor();
}
