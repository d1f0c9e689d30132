// The customer's dashboard in a real browser, on the real binary, with requests through a real HAProxy: one account's journey.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { apiGet, signedIn as signedInAt, until, walletKey } from './account.mjs';
import { launch, open, origins, startHaproxy, startServer } from './support.mjs';

let server;
let browser;
let haproxy;
let origin;
/** The account that the first journey fills, and the later ones go on with. */
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

const signedIn = (key, path, options) => signedInAt(browser, origin, key, path, options);

/** Sends a request with the account's key, through HAProxy. */
async function send(path) {
  return (await fetch(haproxy.seal + path, { headers: { 'X-API-Key': account.text } })).status;
}

/** Sends requests until one is answered so: how soon a change is in force at the gateway, `bench/propagation.sh` measures. */
function answersWith(status) {
  return until(async () => (await send('/v1/service')) === status, `an answer with ${status}`);
}

async function numberOf(locator) {
  return Number((await locator.textContent()).replace(/[^\d.]/g, ''));
}

/** Waits until the text matches. */
async function eventually(page, testId, form) {
  await page.waitForFunction(
    ([id, source]) => new RegExp(source).test(document.querySelector(`[data-testid="${id}"]`)?.textContent ?? ''),
    [testId, form.source],
  );
}

let marks = 0;

/** Waits until every request so far is counted, and the page shows so many. */
async function settled(page) {
  marks += 1;
  const path = `/v1/mark-${marks}`;
  await send(path);
  await until(async () => (await apiGet(page, `/api/traffic/requests?service=seal&path=${path}`)).items.length > 0, 'the last request to be counted');
  const { current } = await apiGet(page, '/api/traffic/summary?range=24h');
  await eventually(page, 'requests', new RegExp(`^${current.requests}$`));
  return current.requests;
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
  await page.getByText(/in the last 30 days$/).waitFor();
  await page.getByRole('link', { name: 'Open the dashboard' }).click();
  await eventually(page, 'requests', /^[1-9]/);

  assert.deepEqual(origins(requests), [origin]);
  assert.deepEqual(problems, []);
  await context.close();
});

test('a number on the page follows each request by itself', async () => {
  const { context, page } = await signedIn(account.key, '/');
  let shown = await settled(page);
  const delays = [];
  for (let round = 0; round < 20; round += 1) {
    const sent = Date.now();
    await send('/v1/fetch_key');
    shown += 1;
    await eventually(page, 'requests', new RegExp(`^${shown}$`));
    delays.push(Date.now() - sent);
  }
  delays.sort((a, b) => a - b);
  console.log(`from request to page: median ${delays[10]} ms, slowest ${delays.at(-1)} ms`);
  // The 95th of a hundred.
  assert.ok(delays[18] <= 2_000, `${delays}`);
  await context.close();
});

test('a request is found in the logs, with its trace, by an address that can be shared', async () => {
  const { context, page, problems } = await signedIn(account.key, '/services/seal/logs?path=%2Fv1%2Fservice');
  const row = page.getByRole('row', { name: /200.*GET \/v1\/service/ }).first();
  await row.waitFor();
  assert.equal(await page.getByRole('row', { name: /fetch_key/ }).count(), 0);
  await row.click();
  const dialog = page.getByRole('dialog');
  await dialog.getByText('Yes, at $1.00 for 10,000').waitFor();
  assert.match(page.url(), /request=/);
  await dialog.getByRole('button', { name: 'Close' }).click();

  await page.getByRole('button', { name: 'Live', exact: true }).click();
  await page.getByText('Following').waitFor();
  await send('/v1/live');
  await page.getByRole('row', { name: /GET \/v1\/live/ }).waitFor();
  assert.deepEqual(problems, []);
  await context.close();
});

test('an invoice opens into its lines, hours and requests, and comes as a file', async () => {
  const { context, page, problems } = await signedIn(account.key, '/billing');
  await page.getByRole('link', { name: 'INV-000001' }).click();
  await page.getByRole('heading', { level: 1, name: 'INV-000001' }).waitFor();
  await page.getByRole('cell', { name: /Seal Pro/ }).waitFor();
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
  await page.getByRole('row').nth(2).waitFor();
  await act('main', 'Delete');
  const remove = page.getByRole('button', { name: 'Delete key' });
  assert.ok(await remove.isDisabled(), 'its name has to be typed first');
  await page.getByLabel(/^Type/).fill('main');
  await remove.click();
  await page.getByText('Key deleted').waitFor();
  await answersWith(200);
  await page.getByRole('row').nth(2).waitFor({ state: 'detached' });
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

test('without a connection the page says so, keeps its figures, and comes back by itself', async () => {
  const { context, page } = await signedIn(account.key, '/');
  await settled(page);
  await server.stop();
  await page.getByText('Connection lost; retrying.').waitFor();
  assert.ok(await page.getByTestId('requests').isVisible());
  // It is counted while nobody can ask, and is on the page without a reload.
  await send('/v1/meanwhile');
  const before = await numberOf(page.getByTestId('requests'));
  await server.start();
  await page.getByText('Connection lost; retrying.').waitFor({ state: 'hidden' });
  await page.waitForFunction((floor) => Number(document.querySelector('[data-testid="requests"]').textContent) > floor, before);
  await settled(page);
  await context.close();
});
