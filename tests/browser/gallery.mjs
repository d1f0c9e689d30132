// Pictures of every page and state of an account with a month of traffic, into tests/artefacts/gallery:  node tests/browser/gallery.mjs [part of a name]

import { mkdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import { openAccount, pretend as pretendAt, signedIn, until, writeHistory } from './account.mjs';
import { launch, startHaproxy, startServer } from './support.mjs';

const folder = fileURLToPath(new URL('../artefacts/gallery/', import.meta.url));
const wanted = process.argv[2] ?? '';
const pretend = (path, change) => (page) => pretendAt(page, server.origin + path, change);
const click = (name) => (page) => page.getByRole('button', { name, exact: true }).first().click();

const PAGES = {
  home: '/',
  seal: '/services/seal',
  'seal-traffic': '/services/seal/traffic',
  'seal-traffic-30d': '/services/seal/traffic?range=30d&by=status&of=keys',
  'seal-traffic-bandwidth': '/services/seal/traffic?range=7d&by=bandwidth&of=client_ips',
  'seal-keys': '/services/seal/keys',
  'seal-keys-menu': { path: '/services/seal/keys', after: click('Actions of production'), whole: false },
  'seal-keys-create': { path: '/services/seal/keys', after: click('Create key'), whole: false },
  'seal-seal-keys': '/services/seal/seal-keys',
  'seal-logs': '/services/seal/logs',
  'seal-logs-filtered': '/services/seal/logs?range=7d&status=502',
  'seal-logs-request': { path: '/services/seal/logs', after: (page) => page.getByRole('row').nth(1).click(), whole: false },
  'seal-logs-live': { path: '/services/seal/logs', after: click('Live'), whole: false },
  'seal-settings': '/services/seal/settings',
  graphql: '/services/graphql',
  'graphql-subscribe': { path: '/services/graphql?tier=pro', whole: false },
  billing: '/billing',
  invoices: '/billing/invoices',
  invoice: '/billing/invoices/INV-000001',
  'invoice-print': { path: '/billing/invoices/draft', after: (page) => page.emulateMedia({ media: 'print' }), done: (page) => page.emulateMedia({ media: 'screen' }) },
  draft: '/billing/invoices/draft',
  'draft-hours': { path: '/billing/invoices/draft', after: click('Hours'), whole: false },
  escrow: '/billing/escrow',
  'escrow-deposit': { path: '/billing/escrow?action=deposit', whole: false },
  credits: '/billing/credits',
  statement: '/billing/statement',
  'api-keys': '/api-keys',
  activity: '/activity',
  network: '/network',
  support: '/support',
  settings: '/settings',
  'settings-toast': { path: '/settings', after: (page) => page.getByRole('button', { name: 'End all others' }).click().then(() => page.getByText('Every other session ended').waitFor()), whole: false },
  'wallet-menu': { path: '/', after: (page) => page.getByTestId('wallet-balance').click(), whole: false },
  notices: { path: '/', after: (page) => page.getByRole('button', { name: /^Notices/ }).click(), whole: false },
  'settings-token': { path: '/settings', after: click('Create token'), whole: false },
  nowhere: '/nowhere',
  terms: '/terms',
  login: '/login',
  'home-loading': { path: '/', before: (page) => page.route('**/api/traffic/**', () => undefined), whole: true },
  'home-error': { path: '/', before: (page) => page.route('**/api/traffic/s*', (route) => route.fulfill({ status: 503, contentType: 'application/problem+json', json: { type: 'about:blank', title: 'Busy', status: 503, code: 'query_timeout' } })) },
  'home-grace': { path: '/', before: pretend('/api/billing', { standing: 'grace', owed_micros: 29_000_000, suspends_at: '2030-01-02T03:04:05Z' }) },
  'home-suspended': {
    path: '/',
    before: async (page) => {
      await pretend('/api/billing', { standing: 'suspended', owed_micros: 29_000_000 })(page);
      await pretend('/api/services', (answer) => ({ ...answer, items: answer.items.map((one) => (one.state === 'enabled' ? { ...one, state: 'suspended_no_payment', keys_work: false } : one)) }))(page);
    },
  },
  'seal-pending-payment': { path: '/services/seal', before: pretend('/api/services/seal', { state: 'disabled', keys_work: false, banner: 'The first payment is pending: deposit what is missing, and keys work at once.' }) },
  'seal-updating': { path: '/services/seal', before: pretend('/api/services/seal', { sync: 'pending' }) },
  offline: {
    path: '/',
    after: async (page) => {
      await page.getByTestId('requests').waitFor();
      await page.context().setOffline(true);
      await page.getByText('Connection lost').waitFor({ timeout: 60_000 });
    },
    done: (page) => page.context().setOffline(false),
    whole: false,
  },
};

const EMPTY = {
  home: '/',
  welcome: '/welcome',
  seal: '/services/seal',
  'seal-traffic': '/services/seal/traffic',
  'seal-keys': '/services/seal/keys',
  'seal-logs': '/services/seal/logs',
  billing: '/billing',
  invoices: '/billing/invoices',
  escrow: '/billing/escrow',
  credits: '/billing/credits',
  statement: '/billing/statement',
  'api-keys': '/api-keys',
  network: '/network',
};

mkdirSync(folder, { recursive: true });
let haproxy;

const server = await startServer(async (made) => {
  haproxy = await startHaproxy(made);
});
const browser = await launch();
try {
  const account = await openAccount(server.origin, {
    dollars: 250,
    services: { seal: 'pro', grpc: 'starter' },
    keys: { seal: ['production', 'staging'], grpc: ['indexer'] },
  });
  const lines = writeHistory(server, account, { days: new Date().getUTCDate() - 1 });
  await until(async () => (await account.ask('GET', '/api/traffic/summary?range=90d')).current.requests === lines, 'the history to be counted');
  const fresh = await openAccount(server.origin, { dollars: 0 });
  for (const [theme, width] of [['light', 1280], ['dark', 1280], ['light', 375], ['dark', 375]]) {
    await take(account, theme, width, PAGES, '');
    await take(fresh, theme, width, EMPTY, 'empty-');
  }
} finally {
  await browser.close();
  haproxy.stop();
  await server.remove();
}

async function take(account, theme, width, states, prefix) {
  const options = { colorScheme: theme, viewport: { width, height: 900 }, deviceScaleFactor: 1 };
  const { context, page } = await signedIn(browser, server.origin, account.key, '/support', options);
  for (const [name, state] of Object.entries(states)) {
    const file = `${prefix}${name}-${theme}-${width}`;
    if (!file.includes(wanted)) continue;
    const { path, before, after, done, whole = true } = typeof state === 'string' ? { path: state } : state;
    try {
      await before?.(page);
      await page.goto(server.origin + path, { waitUntil: 'commit' });
      await page.getByRole('heading', { level: 1 }).waitFor();
      if (before === undefined && path !== '/login') await page.waitForFunction(() => document.querySelector('[aria-label=Loading], .animate-pulse') === null && ![...document.querySelectorAll('[role=status]')].some((one) => one.textContent === 'Loading'));
      await after?.(page);
      await page.waitForTimeout(350);
      await page.screenshot({ path: `${folder}${file}.png`, fullPage: whole });
      await done?.(page);
    } catch (error) {
      console.error(`${file}: ${String(error).split('\n')[0]}`);
    }
    await page.unrouteAll({ behavior: 'ignoreErrors' });
  }
  await context.close();
}
