// What a page does in states that a journey does not come by: sessions, refusals, failures, long lists, the keyboard alone.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { apiGet, openAccount, pretend as pretendAt, signedIn as signedInAt, until } from './account.mjs';
import { launch, open, startServer } from './support.mjs';

let server;
let browser;
let origin;
let account;

before(async () => {
  server = await startServer();
  ({ origin } = server);
  browser = await launch();
  account = await openAccount(origin, { services: { seal: 'pro' }, keys: { seal: ['production'] } });
});

after(async () => {
  await browser?.close();
  await server?.remove();
});

const signedIn = (path, options) => signedInAt(browser, origin, account.key, path, options);
const pretend = (page, path, change) => pretendAt(page, origin + path, change);

test('a token and sessions are made and ended, and leave a trace in the activity', async () => {
  const other = await signedIn('/settings');
  const { context, page, problems } = await signedIn('/settings');
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

  // By itself: nobody is left looking at an account whose session has ended.
  await other.page.getByRole('button', { name: /Demo wallet/ }).waitFor();
  assert.match(other.page.url(), /\/login/);
  await other.context.close();
  await context.close();
});

/** A wallet of the Wallet Standard, which refuses to sign or, if it does not, never says anything. Runs in the page. */
function testWallet({ name, address, refuses }) {
  const account = { address, publicKey: new Uint8Array(32), chains: ['sui:mainnet'], features: [] };
  const wallet = {
    version: '1.0.0',
    name,
    icon: 'data:image/svg+xml;base64,',
    chains: ['sui:mainnet'],
    accounts: [account],
    features: {
      'standard:connect': { version: '1.0.0', connect: async () => ({ accounts: [account] }) },
      'standard:events': { version: '1.0.0', on: () => () => undefined },
      'sui:signPersonalMessage': {
        version: '1.1.0',
        signPersonalMessage: () => new Promise((_, refuse) => refuses !== undefined && refuse(new Error(refuses))),
      },
    },
  };
  const announce = ({ register }) => register(wallet);
  addEventListener('wallet-standard:app-ready', (event) => announce(event.detail));
  dispatchEvent(new CustomEvent('wallet-standard:register-wallet', { detail: announce }));
}

/** From the next page on, the account that is signed in is one of this wallet. */
async function holdIn(page, wallet) {
  await page.addInitScript(testWallet, wallet);
  await page.evaluate((name) => localStorage.setItem('suiftly.wallet', name), wallet.name);
}

test('what a person types is kept when the wallet refuses, and the reason is shown', async () => {
  const { context, page } = await open(browser, 'about:blank');
  await page.addInitScript(testWallet, { name: 'Careful', address: `0x${'a'.repeat(64)}`, refuses: 'The person said no' });
  await page.goto(`${origin}/services/seal/logs?status=5xx`);
  await page.waitForURL(/\/login\?next=/);
  await page.getByRole('button', { name: /Careful/ }).click();
  await page.getByText('The wallet did not sign').waitFor();
  assert.ok(await page.getByText('The person said no').isVisible());
  await context.close();
});

test('a wallet that is silent or refuses can be given up, and so is what it was asked to sign', async () => {
  const own = await openAccount(origin, { dollars: 20 });
  const { context, page } = await signedInAt(browser, origin, own.key, '/support');
  const { wallet_address: address } = await own.ask('GET', '/api/customer');
  await holdIn(page, { name: 'Silent', address });
  await page.goto(`${origin}/billing/escrow?action=deposit`);
  const dialog = page.getByRole('dialog');
  const amount = dialog.getByLabel('Amount in USDC');
  await amount.fill('7');
  await dialog.getByRole('button', { name: 'Deposit', exact: true }).click();
  await dialog.getByText('Confirm it in your wallet').waitFor();
  assert.ok(await amount.isDisabled(), 'nothing else can be asked meanwhile');
  await dialog.getByRole('button', { name: 'Cancel' }).click();
  await dialog.getByText('Confirm it in your wallet').waitFor({ state: 'detached' });
  assert.equal(await amount.inputValue(), '7');
  const newest = async () => (await own.ask('GET', '/api/billing/escrow/transactions')).items[0];
  await until(async () => (await newest()).state === 'failed', 'the transaction to be given up');
  assert.deepEqual([(await newest()).amount_micros, (await newest()).failure], [7_000_000, 'it was given up before it was signed']);

  await holdIn(page, { name: 'Careful', address, refuses: 'The person said no' });
  await page.reload();
  await amount.fill('8');
  await dialog.getByRole('button', { name: 'Deposit', exact: true }).click();
  await dialog.getByText('The person said no').waitFor();
  await until(async () => (await newest()).amount_micros === 8_000_000 && (await newest()).state === 'failed', 'that one to be given up, too');

  const made = await own.ask('POST', '/api/billing/escrow/transactions', { action: 'withdraw', amount_micros: 3_000_000 });
  await page.goto(`${origin}/billing/escrow`);
  await page.getByRole('button', { name: 'Give up' }).click();
  await page.getByRole('button', { name: 'Give up' }).waitFor({ state: 'detached' });
  assert.equal((await own.ask('GET', `/api/billing/escrow/transactions/${made.digest}`)).state, 'failed');
  assert.equal((await own.ask('GET', '/api/billing')).escrow.balance_micros, 20_000_000);
  await context.close();
});

test('the demo wallet is offered only where money is play money, and commands go where the operator says', async () => {
  const { context, page } = await open(browser, 'about:blank');
  const site = { is_simulated_chain: false, service_urls: { seal: 'https://seal.example.com' }, terms_url: 'https://example.com/terms' };
  await pretend(page, '/api/config/frontend', site);
  await page.goto(`${origin}/login`);
  await page.getByText('No Sui wallet in this browser').waitFor();
  assert.equal(await page.getByRole('button', { name: /Demo wallet/ }).count(), 0);
  assert.equal(await page.getByRole('link', { name: 'Terms of service' }).getAttribute('href'), 'https://example.com/terms');
  await context.close();

  const inside = await signedIn('/support');
  await pretend(inside.page, '/api/config/frontend', { service_urls: site.service_urls });
  await inside.page.goto(`${origin}/services/seal/keys`);
  await inside.page.getByRole('button', { name: 'Create key' }).click();
  await inside.page.getByRole('dialog').getByRole('button', { name: 'Create key' }).click();
  await inside.page.getByText(/^curl .* https:\/\/seal\.example\.com\/v1\/service$/).waitFor();
  await inside.context.close();
});

test('an overdue payment, a stop for it and a suspended account are told on every page', async () => {
  const { context, page } = await signedIn('/support');
  await pretend(page, '/api/billing', { standing: 'grace', owed_micros: 9_000_000, suspends_at: '2030-01-02T03:04:05Z' });
  await page.goto(`${origin}/activity`);
  await page.getByText('Payment overdue: $9.00').waitFor();
  await page.getByText('2 Jan 2030, 03:04 UTC').waitFor();
  await page.unrouteAll({ behavior: 'wait' });
  await pretend(page, '/api/billing', { standing: 'suspended', owed_micros: 9_000_000 });
  await pretend(page, '/api/customer', { status: 'suspended' });
  await page.goto(`${origin}/services/seal`);
  await page.getByText('Services are stopped: $9.00 is unpaid').waitFor();
  await page.getByText('This account is suspended').waitFor();
  await context.close();
});

test('what is typed into settings is kept when they change elsewhere, and the other values can be taken', async () => {
  const own = await openAccount(origin, { services: { seal: 'pro' } });
  const { context, page, problems } = await signedInAt(browser, origin, own.key, '/services/seal/settings');
  const addresses = page.getByLabel('Addresses', { exact: true });
  await addresses.fill('203.0.113.7');
  await own.ask('PATCH', '/api/services/seal', { burst: true, ip_allowlist: ['198.51.100.0/24'] });
  await page.getByText('Addresses: 198.51.100.0/24').waitFor();
  assert.equal(await addresses.inputValue(), '203.0.113.7');
  assert.ok(await page.getByLabel('Serve requests above the guaranteed rate').isChecked(), 'what was not touched follows');
  await page.getByRole('button', { name: 'Take what is in force' }).click();
  assert.equal(await addresses.inputValue(), '198.51.100.0/24');
  await addresses.fill('203.0.113.8');
  await page.getByRole('button', { name: 'Save settings' }).click();
  await page.getByText('Settings saved').waitFor();
  const { burst, ip_allowlist: list } = await own.ask('GET', '/api/services/seal');
  assert.deepEqual({ burst, list }, { burst: true, list: ['203.0.113.8'] });
  assert.deepEqual(problems, []);
  await context.close();
});

test('a name that is typed is kept when it changes elsewhere', async () => {
  const own = await openAccount(origin, { dollars: 0 });
  const { context, page, problems } = await signedInAt(browser, origin, own.key, '/settings');
  const name = page.getByLabel('Name', { exact: true });
  await name.fill('Ada');
  await own.ask('PATCH', '/api/customer', { name: 'Grace' });
  await page.getByText('replaces this when you save: Grace').waitFor();
  assert.equal(await name.inputValue(), 'Ada');
  await page.getByRole('button', { name: 'Take what is in force' }).click();
  assert.equal(await name.inputValue(), 'Grace');
  await name.fill('Ada');
  await page.getByRole('button', { name: 'Save', exact: true }).click();
  await page.getByText('Profile saved').waitFor();
  await own.ask('PATCH', '/api/customer', { name: 'Edsger' });
  await until(async () => (await name.inputValue()) === 'Edsger', 'what is not touched to follow');
  assert.deepEqual(problems, []);
  await context.close();
});

test('a secret that is shown once is not closed by mistake before it was copied', async () => {
  const own = await openAccount(origin, { services: { seal: 'pro' } });
  const { context, page, problems } = await signedInAt(browser, origin, own.key, '/services/seal/keys', { permissions: ['clipboard-write', 'clipboard-read'] });
  const dialog = page.getByRole('dialog');
  const create = async (name) => {
    await page.getByRole('button', { name: 'Create key' }).first().click();
    await dialog.getByLabel('Name').fill(name);
    await dialog.getByRole('button', { name: 'Create key' }).click();
    await dialog.getByText('shown only once').waitFor();
    return dialog.locator('pre').first().textContent();
  };
  const question = dialog.getByRole('alert').filter({ hasText: 'it cannot be shown again' });

  const first = await create('first');
  for (const close of [() => page.keyboard.press('Escape'), () => page.keyboard.press('Escape'), () => dialog.getByRole('button', { name: 'Close', exact: true }).click()]) {
    await close();
    await question.waitFor();
    assert.equal(await dialog.locator('pre').first().textContent(), first, 'it is still there');
  }
  await dialog.getByRole('button', { name: 'Close without a copy' }).click();
  await dialog.waitFor({ state: 'detached' });

  const second = await create('second');
  await page.keyboard.press('Escape');
  await question.waitFor();
  await dialog.getByRole('button', { name: /^Copy/ }).first().click();
  await question.waitFor({ state: 'detached' });
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), second);
  await page.keyboard.press('Escape');
  await dialog.waitFor({ state: 'detached' });
  assert.deepEqual(problems, []);
  await context.close();
});

test('notices are read, the bell counts those that are not, and each leads to its invoice', async () => {
  const own = await openAccount(origin, { services: { seal: 'starter' } });
  const unread = async () => (await own.ask('GET', '/api/billing/notices')).unread;
  const [{ invoice }] = (await own.ask('GET', '/api/billing/invoices?state=paid')).items;
  const { context, page, problems } = await signedInAt(browser, origin, own.key, '/support');
  // Whoever comes to a page begins at its content, and a menu that is open there closes.
  await page.getByRole('heading', { level: 1, name: 'Support' }).waitFor();
  await until(async () => (await unread()) === 2, 'both notices of the first invoice');
  await page.getByRole('button', { name: 'Notices, 2 unread' }).click();
  await page.getByRole('button', { name: 'Mark all as read' }).click();
  await page.getByRole('button', { name: 'Notices', exact: true }).waitFor();
  assert.equal(await unread(), 0);
  await page.reload();
  await page.getByRole('heading', { level: 1, name: 'Support' }).waitFor();
  await page.getByRole('button', { name: 'Notices', exact: true }).click();
  assert.equal(await page.getByRole('button', { name: 'Mark all as read' }).count(), 0);
  await page.getByRole('link', { name: `Invoice ${invoice} is paid` }).click();
  await page.getByRole('heading', { level: 1, name: invoice }).waitFor();
  assert.deepEqual(problems, []);
  await context.close();
});

test('a page beyond those that may be live says that it is not, and follows all the same', async () => {
  const own = await openAccount(origin, { dollars: 0 });
  const show = (path) => signedInAt(browser, origin, own.key, path);
  const watching = [];
  for (let watcher = 0; watcher < 5; watcher += 1) watching.push(await show('/support'));
  const { context, page } = await show('/activity');
  await page.getByText('Not live: asked every 10 seconds').waitFor();
  await own.ask('PATCH', '/api/customer', { name: 'Ada' });
  await page.getByRole('cell', { name: /Ada/ }).first().waitFor();
  await watching.pop().context.close();
  await page.getByText('Not live: asked every 10 seconds').waitFor({ state: 'hidden' });
  await context.close();
  for (const one of watching) await one.context.close();
});

test('traffic of any stretch of time is chosen, refused with a sentence, and found again by its address', async () => {
  const { context, page, problems } = await signedIn('/services/seal/traffic');
  await page.getByText('From – to').click();
  await page.getByLabel('From (UTC)').fill('2026-01-02T03:00');
  await page.getByLabel('To (UTC), or now').fill('2026-01-01T00:00');
  await page.getByRole('button', { name: 'Show', exact: true }).click();
  await page.getByText('The end must be after the beginning.').waitFor();
  await page.getByLabel('To (UTC), or now').fill('2026-01-03T00:00');
  await page.getByRole('button', { name: 'Show', exact: true }).click();
  await page.getByText(/^Counted in whole steps/).waitFor();
  assert.match(page.url(), /from=2026-01-02T03/);
  await page.reload();
  await page.getByText(/^Counted in whole steps/).waitFor();
  assert.equal(await page.getByLabel('From (UTC)').inputValue(), '2026-01-02T03:00');
  assert.deepEqual(problems, []);
  await context.close();
});

test('a failure of the server is a sentence with a way forward, and asking again helps', async () => {
  const { context, page } = await signedIn('/support');
  let broken = true;
  await page.route(`${origin}/api/billing/credits**`, (route) =>
    broken
      ? route.fulfill({ status: 503, contentType: 'application/problem+json', json: { type: 'about:blank', title: 'Not ready', status: 503, code: 'query_timeout' } })
      : route.continue(),
  );
  await page.goto(`${origin}/billing/credits`);
  await page.getByText('The question was too large').waitFor();
  const again = page.getByRole('button', { name: 'Try again' });
  await again.waitFor();
  broken = false;
  const credit = page.getByText('Days before a subscription');
  // News of the account may ask again before the click does.
  await Promise.any([again.click(), credit.waitFor()]);
  await credit.waitFor();
  await context.close();
});

test('the keyboard alone reaches the content, opens a dialog, and gets back', async () => {
  const { context, page } = await signedIn('/api-keys');
  // Tab begins at the top of a page that was just loaded, not where the button to sign in was.
  await page.reload();
  await page.getByRole('button', { name: 'Create key' }).first().waitFor();
  await page.keyboard.press('Tab');
  await page.keyboard.press('Enter');
  await page.waitForURL(/#content$/);
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
  const { context, page } = await signedIn('/support');
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
