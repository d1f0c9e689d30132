// Pictures of every page and state of an account with a month of traffic, into tests/artefacts/gallery:  node tests/browser/gallery.mjs [part of a name]

import { mkdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import { openAccount, signedIn, until, writeHistory } from './account.mjs';
import { EMPTY, PAGES, STATES, leave, show, signOut } from './looks.mjs';
import { launch, startHaproxy, startServer } from './support.mjs';

const folder = fileURLToPath(new URL('../artefacts/gallery/', import.meta.url));
const wanted = process.argv[2] ?? '';
/** What only a picture can tell. */
const PICTURES = {
  'invoice-print': { path: '/billing/invoices/draft', after: (page) => page.emulateMedia({ media: 'print' }), done: (page) => page.emulateMedia({ media: 'screen' }) },
  'settings-toast': { path: '/settings', after: (page) => page.getByRole('button', { name: 'End all others' }).click(), shows: 'Every other session ended', whole: false },
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
    await take(account, theme, width, { ...PAGES, ...STATES, ...PICTURES }, '');
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
    try {
      await show(page, server.origin, state);
      // Until what fades in is there.
      await page.waitForTimeout(350);
      await page.screenshot({ path: `${folder}${file}.png`, fullPage: state.whole ?? true });
    } catch (error) {
      console.error(`${file}: ${String(error).split('\n')[0]}`);
    }
    await leave(page, state);
  }
  await signOut(page, server.origin);
  if (`login-${theme}-${width}`.includes(wanted)) await page.screenshot({ path: `${folder}login-${theme}-${width}.png` });
  await context.close();
}
