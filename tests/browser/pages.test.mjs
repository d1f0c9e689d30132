// Every page in both themes and at two widths, of an account with a month of traffic: axe, no sideways scrolling, no other host.
// The pictures are kept in tests/artefacts.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { openAccount, signedIn, until, writeHistory } from './account.mjs';
import { checkLook, launch, origins, startHaproxy, startServer, visit } from './support.mjs';

let server;
let haproxy;
let browser;
let origin;
let account;

before(async () => {
  server = await startServer(async (made) => {
    haproxy = await startHaproxy(made);
  });
  ({ origin } = server);
  browser = await launch();
  account = await openAccount(origin, { services: { seal: 'pro', grpc: 'starter' }, keys: { seal: ['production', 'staging'], grpc: ['indexer'] } });
  const written = writeHistory(server, account, { perHour: 6 });
  await until(async () => (await account.ask('GET', '/api/traffic/summary?range=90d')).current.requests === written, 'the history to be counted');
});

after(async () => {
  haproxy?.stop();
  await browser?.close();
  await server?.remove();
});

const PAGES = [
  '/',
  '/welcome',
  '/services/seal',
  '/services/seal/traffic',
  '/services/seal/keys',
  '/services/seal/seal-keys',
  '/services/seal/logs',
  '/services/seal/settings',
  '/services/graphql',
  '/services/graphql?tier=pro',
  '/billing',
  '/billing/invoices',
  '/billing/invoices/INV-000001',
  '/billing/escrow',
  '/billing/credits',
  '/billing/statement',
  '/api-keys',
  '/activity',
  '/network',
  '/support',
  '/settings',
  '/terms',
  '/nowhere',
];

// What axe finds depends on the theme and on the width, but not on both together, so each page is asked twice.
for (const [colorScheme, width, axe] of [
  ['light', 1280, true],
  ['dark', 375, true],
  ['dark', 1280, false],
  ['light', 375, false],
]) {
  test(`${colorScheme} at ${width} px, every page: ${axe ? 'no serious finding of axe, ' : ''}no sideways scrolling, no other host`, async () => {
    const options = { colorScheme, viewport: { width, height: 900 }, bypassCSP: true };
    const { context, page, problems, requests } = await signedIn(browser, origin, account.key, '/', options);
    for (const path of PAGES) {
      await visit(page, origin + path);
      await page.getByRole('heading', { level: 1 }).waitFor();
      await page.waitForFunction(() => ![...document.querySelectorAll('[role=status]')].some((one) => one.textContent === 'Loading'));
      const name = path.replace(/[^a-zA-Z0-9]+/g, '-').replace(/^-|-$/g, '') || 'home';
      await checkLook(page, `dashboard-${name}-${colorScheme}-${width}`, axe);
    }
    assert.deepEqual(origins(requests).filter((one) => one !== 'null'), [origin]);
    assert.deepEqual(problems, []);
    await page.evaluate(() => fetch('/api/auth/logout', { method: 'POST' }));
    await page.evaluate(() => localStorage.removeItem('suiftly.wallet'));
    await page.goto(`${origin}/login`);
    await page.getByRole('button', { name: /Demo wallet/ }).waitFor();
    await checkLook(page, `dashboard-login-${colorScheme}-${width}`, axe);
    await context.close();
  });
}
