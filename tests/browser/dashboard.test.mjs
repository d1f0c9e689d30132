// The customer's dashboard in a real browser, on the real binary, with requests through a real HAProxy.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { checkLook, launch, open, origins, startHaproxy, startServer, walletKey } from './support.mjs';

let server;
let browser;
let haproxy;
let origin;
/** The account that the first journey fills, and the later tests look at. */
let account;

before(async () => {
  // HAProxy first: a server that finds none looks for it again after growing pauses.
  server = await startServer(async (made) => {
    haproxy = await startHaproxy(made);
  });
  ({ origin } = server);
  browser = await launch();
});

after(async () => {
  haproxy?.stop();
  await browser?.close();
  await server?.remove();
});

/** A page whose demo wallet has this key; `path` is opened signed in. */
async function signedIn(key, path, options = {}) {
  const opened = await open(browser, 'about:blank', options);
  const { page } = opened;
  await page.addInitScript((secret) => localStorage.setItem('suiftly.demo-wallet', secret), key);
  await page.goto(`${origin}/login${path === '/' ? '' : `?next=${encodeURIComponent(path)}`}`);
  await page.getByRole('button', { name: /Demo wallet/ }).click();
  await page.getByTestId('wallet-balance').waitFor();
  return opened;
}

/** What the page itself asks the API, with its session. */
function apiGet(page, path) {
  return page.evaluate(async (url) => (await fetch(url)).json(), path);
}

/** Sends requests with the account's key until one is answered so: a change is in force at the gateway within a second. */
async function answersWith(status) {
  let last;
  for (const deadline = Date.now() + 3_000; Date.now() < deadline; await new Promise((resolve) => setTimeout(resolve, 100))) {
    last = (await fetch(`${haproxy.seal}/v1/service`, { headers: { 'X-API-Key': account.text } })).status;
    if (last === status) return;
  }
  assert.equal(last, status);
}

async function numberOf(locator) {
  return Number((await locator.textContent()).replace(/[^\d.]/g, ''));
}

/** Waits until the text matches. */
async function eventually(page, testId, form) {
  await page.waitForFunction(
    ([id, source]) => new RegExp(source).test(document.querySelector(`[data-testid="${id}"]`)?.textContent ?? ''),
    [testId, form.source],
    { timeout: 15_000 },
  );
}

test('from nothing to the first request: deposit, subscribe, turn on, create a key, send', async () => {
  const key = await walletKey();
  const { context, page, problems, requests } = await signedIn(key, '/');
  await page.getByRole('button', { name: 'Accept the terms' }).click();
  await page.getByText('Terms accepted').waitFor();
  await page.getByRole('link', { name: 'Get started' }).click();

  await page.getByRole('button', { name: 'Get play money' }).click();
  await page.getByText('Your wallet holds $1,000.00 USDC.').waitFor();
  await page.getByLabel('Amount in USDC').fill('100');
  await page.getByRole('button', { name: 'Deposit', exact: true }).click();
  await eventually(page, 'wallet-balance', /\$100\.00/);

  await page.getByRole('button', { name: 'Choose Pro' }).click();
  assert.equal(await page.getByTestId('charged-today').textContent(), '$29.00');
  await page.getByRole('button', { name: 'Subscribe', exact: true }).click();
  await eventually(page, 'wallet-balance', /\$71\.00/);

  await page.getByRole('button', { name: 'Turn on' }).click();
  await page.getByRole('button', { name: 'Create key' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('Name').fill('first');
  await dialog.getByRole('button', { name: 'Create key' }).click();
  await dialog.getByText('shown only once').waitFor();
  const text = await dialog.locator('pre').first().textContent();
  assert.match(text, /^S[A-Z0-9]{36}$/);
  assert.match(await dialog.locator('pre').last().textContent(), new RegExp(`^curl -H 'X-API-Key: ${text}'`));
  await dialog.getByRole('button', { name: 'Done' }).click();

  account = { key, text };
  await answersWith(200);
  await page.getByText(/in the last 24 hours$/).waitFor({ timeout: 5_000 });
  await page.getByRole('link', { name: 'Open the dashboard' }).click();
  await eventually(page, 'requests', /^[1-9]/);

  assert.deepEqual(origins(requests), [origin]);
  assert.deepEqual(problems, []);
  await context.close();
});

test('a number on the page follows each request by itself', async () => {
  const { context, page } = await signedIn(account.key, '/');
  await eventually(page, 'requests', /\d/);
  const delays = [];
  for (let round = 0; round < 20; round += 1) {
    const before = await numberOf(page.getByTestId('requests'));
    const sent = Date.now();
    await fetch(`${haproxy.seal}/v1/fetch_key`, { headers: { 'X-API-Key': account.text } });
    await eventually(page, 'requests', new RegExp(`^${before + 1}$`));
    delays.push(Date.now() - sent);
  }
  delays.sort((a, b) => a - b);
  console.log(`from request to page: median ${delays[10]} ms, slowest ${delays.at(-1)} ms`);
  await context.close();
});

test('a request is found in the logs, with its trace, by an address that can be shared', async () => {
  const { context, page, problems } = await signedIn(account.key, '/services/seal/logs?path=%2Fv1%2Fservice');
  const row = page.getByRole('row', { name: /200.*GET \/v1\/service/ }).first();
  await row.waitFor();
  assert.equal(await page.getByRole('row', { name: /fetch_key/ }).count(), 0);
  await row.click();
  const dialog = page.getByRole('dialog');
  await dialog.getByText('Yes, $0.00').waitFor();
  assert.match(page.url(), /request=/);
  await dialog.getByRole('button', { name: 'Close' }).click();

  await page.getByRole('button', { name: 'Live', exact: true }).click();
  await page.getByText('Waiting for requests').waitFor();
  await fetch(`${haproxy.seal}/v1/live`, { headers: { 'X-API-Key': account.text } });
  await page.getByRole('row', { name: /GET \/v1\/live/ }).waitFor({ timeout: 5_000 });
  assert.deepEqual(problems, []);
  await context.close();
});

test('an invoice opens into its lines, hours and requests, and comes as a file', async () => {
  const { context, page, problems } = await signedIn(account.key, '/billing');
  await page.getByRole('link', { name: 'INV-000001' }).click();
  await page.getByRole('heading', { level: 1, name: 'INV-000001' }).waitFor();
  assert.ok(await page.getByText('Seal Pro').isVisible());
  const [file] = await Promise.all([page.waitForEvent('download'), page.getByRole('link', { name: 'PDF' }).click()]);
  assert.match(file.suggestedFilename(), /\.pdf$/);
  await page.goto(`${origin}/billing/invoices/draft`);
  await page.getByRole('button', { name: 'Hours' }).click();
  await page.getByRole('dialog').getByRole('link', { name: 'See them' }).first().click();
  await page.getByRole('row', { name: /GET \/v1\/service/ }).first().waitFor();
  assert.deepEqual(problems, []);
  await context.close();
});

test('a withdrawal and a limit are signed by the wallet, step by step', async () => {
  const { context, page, problems } = await signedIn(account.key, '/billing/escrow?action=withdraw');
  await page.getByLabel('Amount in USDC').fill('999');
  await page.getByRole('dialog').getByRole('button', { name: 'Withdraw' }).click();
  await page.getByText('The account holds $71.00 only.').waitFor();
  await page.getByLabel('Amount in USDC').fill('20');
  await page.getByRole('dialog').getByRole('button', { name: 'Withdraw' }).click();
  await page.getByText('Withdrawn to your wallet.').waitFor();
  await eventually(page, 'wallet-balance', /\$51\.00/);

  await page.goto(`${origin}/billing/escrow?action=limit`);
  await page.getByLabel('New limit for 28 days').fill('100');
  await page.getByRole('button', { name: 'Set the limit' }).click();
  await page.getByText('The new limit is in force.').waitFor();
  await page.getByRole('button', { name: 'Close' }).click();
  await page.getByText('of $100.00').waitFor();
  assert.deepEqual(problems, []);
  await context.close();
});

test('a key is revoked, enabled, rotated, and deleted by its name', async () => {
  const { context, page, problems } = await signedIn(account.key, '/services/seal/keys');
  const act = async (name, item) => {
    await page.getByRole('button', { name: `Actions of ${name}` }).first().click();
    await page.getByRole('button', { name: item, exact: true }).click();
  };
  await act('first', 'Rename');
  await page.getByRole('dialog').getByRole('textbox').fill('main');
  await page.getByRole('dialog').getByRole('button', { name: 'Rename' }).click();
  await act('main', 'Revoke');
  await page.getByRole('button', { name: 'Revoke key' }).click();
  await page.getByRole('cell', { name: 'Revoked' }).waitFor();
  await answersWith(401);
  await act('main', 'Enable again');
  await page.getByRole('cell', { name: 'Active' }).waitFor();
  await answersWith(200);
  await act('main', 'Rotate');
  await page.getByRole('button', { name: 'Rotate' }).click();
  account.text = await page.getByRole('dialog').locator('pre').first().textContent();
  await page.getByRole('button', { name: 'Done' }).click();
  assert.equal(await page.getByRole('row').count(), 3);
  await act('main', 'Delete');
  const remove = page.getByRole('button', { name: 'Delete key' });
  assert.ok(await remove.isDisabled(), 'its name has to be typed first');
  await page.getByLabel(/^Type/).fill('main');
  await remove.click();
  await page.getByText('Key deleted').waitFor();
  await answersWith(200);
  assert.equal(await page.getByRole('row').count(), 2);
  assert.deepEqual(problems, []);
  await context.close();
});

test('settings are refused with a sentence for each mistake, and saved without one', async () => {
  const { context, page } = await signedIn(account.key, '/services/seal/settings');
  await page.getByLabel('Only these addresses may use keys').check();
  await page.getByLabel('Addresses', { exact: true }).fill('203.0.113.7\nnonsense');
  await page.getByRole('button', { name: 'Save settings' }).click();
  await page.getByText('Some values are not allowed').waitFor();
  await page.getByLabel('Addresses', { exact: true }).fill('203.0.113.7\n198.51.100.0/24');
  await page.getByRole('button', { name: 'Save settings' }).click();
  await page.getByText('Settings saved').waitFor();
  assert.deepEqual((await apiGet(page, '/api/services/seal')).ip_allowlist, ['203.0.113.7', '198.51.100.0/24']);
  await answersWith(403);
  await page.getByLabel('Only these addresses may use keys').uncheck();
  await page.getByRole('button', { name: 'Save settings' }).click();
  await answersWith(200);
  await context.close();
});

test('a token and sessions are made and ended, and leave a trace in the activity', async () => {
  const other = await signedIn(account.key, '/settings');
  const { context, page, problems } = await signedIn(account.key, '/settings');
  await page.getByRole('button', { name: 'Create token' }).click();
  await page.getByRole('dialog').getByLabel('Name').fill('export');
  await page.getByLabel('Read Traffic').check();
  await page.getByRole('dialog').getByRole('button', { name: 'Create token' }).click();
  const text = await page.getByRole('dialog').locator('pre').first().textContent();
  assert.match(text, /^suiftly_pat_/);
  await page.getByRole('button', { name: 'Done' }).click();
  const withToken = (path) => fetch(`${origin}${path}`, { headers: { authorization: `Bearer ${text}` } });
  assert.equal((await withToken('/api/traffic/summary')).status, 200);
  assert.equal((await withToken('/api/billing')).status, 403);
  await page.getByRole('button', { name: 'End all others' }).click();
  await page.getByText('Every other session ended').waitFor();
  await page.goto(`${origin}/activity?find=token`);
  await page.getByText('API token created').waitFor();
  assert.deepEqual(problems, []);

  // It may be on its way to the sign-in already, which ends this navigation.
  await other.page.goto(`${origin}/billing`, { waitUntil: 'commit' }).catch(() => {});
  await other.page.waitForURL(/\/login/);
  await other.context.close();
  await context.close();
});

test('what a person types is kept when the wallet refuses, and the reason is shown', async () => {
  const { context, page } = await open(browser, 'about:blank');
  await page.addInitScript(() => {
    const account = { address: `0x${'a'.repeat(64)}`, publicKey: new Uint8Array(32), chains: ['sui:mainnet'], features: [] };
    const wallet = {
      version: '1.0.0',
      name: 'Careful',
      icon: 'data:image/svg+xml;base64,',
      chains: ['sui:mainnet'],
      accounts: [account],
      features: {
        'standard:connect': { version: '1.0.0', connect: async () => ({ accounts: [account] }) },
        'standard:events': { version: '1.0.0', on: () => () => undefined },
        'sui:signPersonalMessage': { version: '1.1.0', signPersonalMessage: () => Promise.reject(new Error('The person said no')) },
      },
    };
    const announce = ({ register }) => register(wallet);
    addEventListener('wallet-standard:app-ready', (event) => announce(event.detail));
    dispatchEvent(new CustomEvent('wallet-standard:register-wallet', { detail: announce }));
  });
  await page.goto(`${origin}/services/seal/logs?status=5xx`);
  await page.waitForURL(/\/login\?next=/);
  await page.getByRole('button', { name: /Careful/ }).click();
  await page.getByText('The wallet did not sign').waitFor();
  assert.ok(await page.getByText('The person said no').isVisible());
  await context.close();
});

test('without a connection the page says so, keeps its figures, and comes back by itself', async () => {
  const { context, page } = await signedIn(account.key, '/');
  await eventually(page, 'requests', /\d/);
  await server.stop();
  await page.getByText('Connection lost; retrying.').waitFor({ timeout: 20_000 });
  assert.ok(await page.getByTestId('requests').isVisible());
  await server.start();
  await page.getByText('Connection lost; retrying.').waitFor({ state: 'hidden', timeout: 20_000 });
  await fetch(`${haproxy.seal}/v1/again`, { headers: { 'X-API-Key': account.text } });
  const before = await numberOf(page.getByTestId('requests'));
  await fetch(`${haproxy.seal}/v1/again`, { headers: { 'X-API-Key': account.text } });
  await page.waitForFunction((floor) => Number(document.querySelector('[data-testid="requests"]').textContent) > floor, before);
  await context.close();
});

/** The API's answer as it is, with some of it changed: states that take days to come about. */
async function pretend(page, path, change) {
  await page.route(`${origin}${path}`, async (route) => {
    const response = await route.fetch();
    await route.fulfill({ response, json: { ...(await response.json()), ...change } });
  });
}

test('an overdue payment, a stop for it and a suspended account are told on every page', async () => {
  const { context, page } = await signedIn(account.key, '/support');
  await pretend(page, '/api/billing', { standing: 'grace', owed_micros: 9_000_000, suspends_at: '2030-01-02T03:04:05Z' });
  await page.goto(`${origin}/activity`);
  await page.getByText('Payment overdue: $9.00').waitFor();
  await page.getByText('2 Jan 2030, 03:04 UTC').waitFor();
  await page.unrouteAll();
  await pretend(page, '/api/billing', { standing: 'suspended', owed_micros: 9_000_000 });
  await pretend(page, '/api/customer', { status: 'suspended' });
  await page.goto(`${origin}/services/seal`);
  await page.getByText('Services are stopped: $9.00 is unpaid').waitFor();
  await page.getByText('This account is suspended').waitFor();
  await context.close();
});

test('a failure of the server is a sentence with a way forward, and asking again helps', async () => {
  const { context, page } = await signedIn(account.key, '/support');
  await page.route(`${origin}/api/billing/credits**`, (route) =>
    route.fulfill({ status: 503, contentType: 'application/problem+json', json: { type: 'about:blank', title: 'Not ready', status: 503, code: 'query_timeout' } }),
  );
  await page.goto(`${origin}/billing/credits`);
  await page.getByText('The question was too large').waitFor();
  const again = page.getByRole('button', { name: 'Try again' });
  await again.waitFor();
  await page.unrouteAll();
  // News of the account may have asked again already.
  await again.click({ timeout: 2_000 }).catch(() => {});
  await page.getByText('Days before a subscription').waitFor();
  await context.close();
});

test('the keyboard alone reaches the content, opens a dialog, and gets back', async () => {
  const { context, page } = await signedIn(account.key, '/api-keys');
  await page.getByRole('button', { name: 'Create key' }).first().waitFor();
  await page.keyboard.press('Tab');
  await page.keyboard.press('Enter');
  assert.equal(await page.evaluate(() => location.hash), '#content');
  const create = page.getByRole('button', { name: 'Create key' }).first();
  await create.focus();
  await page.keyboard.press('Enter');
  await page.getByRole('dialog').waitFor();
  assert.equal(await page.evaluate(() => document.activeElement.tagName), 'INPUT');
  await page.keyboard.press('Escape');
  await page.getByRole('dialog').waitFor({ state: 'hidden' });
  assert.ok(await create.evaluate((button) => button === document.activeElement), 'the focus is back');
  await context.close();
});

test('of ten thousand keys only those in sight are drawn', async () => {
  const { context, page } = await signedIn(account.key, '/support');
  const [known] = (await apiGet(page, '/api/services/seal/api-keys')).items;
  const items = Array.from({ length: 10_000 }, (_, number) => ({ ...known, api_key_id: `key_${number}`, name: `key ${number}` }));
  await page.route(`${origin}/api/services/seal/api-keys?*`, (route) => route.fulfill({ json: { items, included: 2, max: 20_000 } }));
  await page.goto(`${origin}/services/seal/keys`);
  await page.getByText('key 0', { exact: true }).waitFor();
  const list = page.getByRole('region', { name: /API keys of Seal/ });
  await list.evaluate((element) => element.scrollTo(0, element.scrollHeight));
  await page.getByText('key 9999', { exact: true }).waitFor();
  assert.ok((await page.getByRole('row').count()) < 60);
  await context.close();
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
    const { context, page, problems, requests } = await signedIn(account.key, '/', options);
    for (const path of PAGES) {
      await page.goto(origin + path);
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
