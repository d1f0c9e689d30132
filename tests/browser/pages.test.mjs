// Every page in both themes and at two widths, of an account with a month of traffic: axe, no sideways scrolling, no other host; and states
// of pages. `looks.mjs` says which.
// The pictures are kept in tests/artefacts.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { openAccount, signedIn, until, writeHistory } from './account.mjs';
import { EMPTY, PAGES, STATES, leave, show, signOut } from './looks.mjs';
import { checkLayout, checkLook, launch, origins, startHaproxy, startServer } from './support.mjs';

let server;
let haproxy;
let browser;
let origin;
let account;
let fresh;

before(async () => {
  server = await startServer(async (made) => {
    haproxy = await startHaproxy(made);
  });
  ({ origin } = server);
  browser = await launch();
  account = await openAccount(origin, { services: { seal: 'pro', grpc: 'starter' }, keys: { seal: ['production', 'staging'], grpc: ['indexer'] } });
  fresh = await openAccount(origin, { dollars: 0 });
  const written = writeHistory(server, account, { perHour: 6 });
  await until(async () => (await account.ask('GET', '/api/traffic/summary?range=90d')).current.requests === written, 'the history to be counted');
});

after(async () => {
  haproxy?.stop();
  await browser?.close();
  await server?.remove();
});

const signedInWith = (of, colorScheme, width) => signedIn(browser, origin, of.key, '/support', { colorScheme, viewport: { width, height: 900 }, bypassCSP: true });

// What axe finds depends on the theme and on the width, but not on both together, so each page is asked twice.
for (const [colorScheme, width, axe] of [
  ['light', 1280, true],
  ['dark', 375, true],
  ['dark', 1280, false],
  ['light', 375, false],
]) {
  test(`${colorScheme} at ${width} px, every page: ${axe ? 'no serious finding of axe, ' : ''}no sideways scrolling, no other host`, async () => {
    const { context, page, problems, requests } = await signedInWith(account, colorScheme, width);
    for (const [name, state] of Object.entries(PAGES)) {
      await show(page, origin, state);
      await checkLook(page, `dashboard-${name}-${colorScheme}-${width}`, axe);
    }
    assert.deepEqual(origins(requests).filter((one) => one !== 'null'), [origin]);
    assert.deepEqual(problems, []);
    await signOut(page, origin);
    await checkLook(page, `dashboard-login-${colorScheme}-${width}`, axe);
    await context.close();
  });
}

// States that most people never see, where they are the hardest to get right: in the narrow one of them.
for (const [what, states] of [
  ['a state', STATES],
  ['an empty page', EMPTY],
]) {
  test(`dark at 375 px, ${what}: no serious finding of axe, no sideways scrolling`, async () => {
    const { context, page } = await signedInWith(what === 'a state' ? account : fresh, 'dark', 375);
    for (const [name, state] of Object.entries(states)) {
      await show(page, origin, state);
      await checkLayout(page, name);
      await leave(page, state);
    }
    await context.close();
  });
}
