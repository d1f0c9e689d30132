// What a customer pays and stops paying: plans, limits, caps, and what happens when there is too little money.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';

import { apiGet, openAccount, pretend, signedIn as signedInAt, until } from './account.mjs';
import { launch, startServer } from './support.mjs';

let server;
let browser;
let origin;

before(async () => {
  server = await startServer();
  ({ origin } = server);
  browser = await launch();
});

after(async () => {
  await browser?.close();
  await server?.remove();
});

const signedIn = (account, path) => signedInAt(browser, origin, account.key, path);

/** An account whose spending limit is used up by Seal Enterprise; and the limit, in dollars, that gRPC Enterprise takes. */
async function openAtTheLimit() {
  const account = await openAccount(origin, { dollars: 500, limit: 185, services: { seal: 'enterprise' } });
  const { demanded_micros: demanded } = await account.ask('POST', '/api/services/grpc/preview', { action: 'subscribe', tier: 'enterprise' });
  return { account, needed: (185 + demanded / 1_000_000).toFixed(2) };
}

/** Waits until a service is so at the server. */
function becomes(page, service, facts) {
  return until(async () => {
    const now = await apiGet(page, `/api/services/${service}`);
    return Object.entries(facts).every(([name, value]) => now[name] === value);
  }, `${service} to be ${JSON.stringify(facts)}`);
}

test('who is short of money deposits what is missing where it is missing, and pays what was shown', async () => {
  const account = await openAccount(origin, { dollars: 20 });
  const { context, page, problems } = await signedIn(account, '/services/seal?tier=pro');
  const dialog = page.getByRole('dialog');
  await dialog.getByText('Your balance is $9.00 short').waitFor();
  assert.equal(await dialog.getByTestId('charged-today').textContent(), '$29.00');
  assert.equal(await dialog.getByLabel('Amount in USDC').inputValue(), '9.00');
  await dialog.getByRole('button', { name: 'Deposit', exact: true }).click();
  await dialog.getByText('Your balance is $9.00 short').waitFor({ state: 'detached' });
  await dialog.getByText('Paid from escrow').waitFor();
  const shown = await dialog.getByRole('region', { name: 'Next invoice' }).textContent();
  await dialog.getByRole('button', { name: 'Subscribe', exact: true }).click();
  await page.getByText('Subscribed to Seal Pro').waitFor();
  await becomes(page, 'seal', { tier: 'pro', state: 'disabled' });
  await until(async () => (await apiGet(page, '/api/billing')).escrow.balance_micros === 0, 'all of it to be paid');
  const { amount } = await apiGet(page, '/api/billing/invoices/draft');
  assert.ok(shown.endsWith(amount), `${shown} and then ${amount}`);
  assert.deepEqual(problems, []);
  await context.close();
});

test('a spending limit that is in the way is said to be, and raised in place', async () => {
  const { account, needed } = await openAtTheLimit();
  const { context, page, problems } = await signedIn(account, '/services/grpc?tier=enterprise');
  const dialog = page.getByRole('dialog');
  await dialog.getByText(`Your spending limit does not allow it: it takes $${needed}`).waitFor();
  assert.equal(await dialog.getByRole('button', { name: 'Deposit' }).count(), 0, 'the money is there');
  assert.equal(await dialog.getByLabel('New limit for 28 days').inputValue(), needed);
  await dialog.getByRole('button', { name: 'Set the limit' }).click();
  await dialog.getByText('Paid from escrow').waitFor();
  await dialog.getByRole('button', { name: 'Subscribe', exact: true }).click();
  await page.getByText('Subscribed to gRPC Enterprise').waitFor();
  await becomes(page, 'grpc', { tier: 'enterprise', state: 'disabled' });
  assert.deepEqual(problems, []);
  await context.close();
});

test('an invoice that waits is paid as soon as the limit allows it, from its own page', async () => {
  const { account, needed } = await openAtTheLimit();
  await account.ask('POST', '/api/services/grpc/subscribe', { tier: 'enterprise' });
  const [{ invoice }] = (await account.ask('GET', '/api/billing/invoices?state=pending')).items;
  const { context, page } = await signedIn(account, `/billing/invoices/${invoice}`);
  await page.getByText(`The money is there, but your spending limit does not allow it: it takes a spending limit of $${needed}.`).waitFor();
  await page.getByRole('button', { name: 'Pay now' }).click();
  await page.getByText('This cannot be paid at present').waitFor();
  await page.getByRole('link', { name: 'Raise the limit' }).click();
  await page.getByRole('button', { name: 'Set the limit' }).click();
  await page.getByText('The new limit is in force.').waitFor();
  await page.goto(`${origin}/billing/invoices/${invoice}`);
  await page.getByRole('region', { name: 'Lines', exact: true }).getByRole('term').filter({ hasText: 'Paid' }).waitFor();
  assert.equal(await page.getByText('Payment pending').count(), 0);
  await context.close();
});

test('an amount that has changed since it was shown is not charged, and the new one is shown', async () => {
  const account = await openAccount(origin);
  const { context, page } = await signedIn(account, '/support');
  let before = true;
  await pretend(page, `${origin}/api/services/seal/preview`, (answer) => (before ? { ...answer, demanded_micros: 28_000_000 } : answer));
  await page.route(`${origin}/api/services/seal/subscribe`, (route) => {
    before = false;
    return route.continue();
  });
  await page.goto(`${origin}/services/seal?tier=pro`);
  const dialog = page.getByRole('dialog');
  const charged = dialog.getByTestId('charged-today');
  await charged.filter({ hasText: '$28.00' }).waitFor();
  await dialog.getByRole('button', { name: 'Subscribe', exact: true }).click();
  await dialog.getByText('It costs another amount now').waitFor();
  assert.equal((await apiGet(page, '/api/services/seal')).state, 'not_provisioned');
  await charged.filter({ hasText: '$29.00' }).waitFor();
  await dialog.getByRole('button', { name: 'Subscribe', exact: true }).click();
  await page.getByText('Subscribed to Seal Pro').waitFor();
  await page.unrouteAll({ behavior: 'wait' });
  await context.close();
});

test('a plan is upgraded at once, made smaller later, cancelled and kept', async () => {
  const account = await openAccount(origin, { dollars: 240, services: { seal: 'starter' } });
  const { context, page, problems } = await signedIn(account, '/services/seal');
  const choose = async (tier) => {
    await page.getByRole('button', { name: 'Change tier' }).click();
    await page.getByRole('article', { name: tier }).getByRole('button').click();
    await page.getByRole('button', { name: `Change to ${tier}` }).click();
    await page.getByText(`Seal: ${tier}`).waitFor();
  };
  await choose('Enterprise');
  await becomes(page, 'seal', { tier: 'enterprise' });
  await choose('Pro');
  await page.getByText(/^Changes to/).waitFor();
  await becomes(page, 'seal', { tier: 'enterprise', scheduled_tier: 'pro' });

  await page.getByRole('button', { name: 'Cancel the subscription' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByText('Nothing is charged today').waitFor();
  await dialog.getByRole('button', { name: 'Cancel Seal' }).click();
  await page.getByText('Seal is cancelled').waitFor();
  await page.getByText(/^Ends on/).waitFor();
  await page.getByRole('button', { name: 'Keep the service' }).click();
  await dialog.getByRole('button', { name: 'Keep the service' }).click();
  await page.getByText('Seal goes on').waitFor();
  assert.equal((await apiGet(page, '/api/services/seal')).cancel_at, undefined);
  assert.deepEqual(problems, []);
  await context.close();
});

test('turning off is asked about, and turning on is not', async () => {
  const account = await openAccount(origin, { services: { grpc: 'starter' } });
  const { context, page, problems } = await signedIn(account, '/services/grpc');
  await page.getByRole('button', { name: 'Turn off' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Turn gRPC off' }).click();
  await page.getByText('gRPC is off', { exact: true }).waitFor();
  await becomes(page, 'grpc', { state: 'disabled', keys_work: false });
  await page.getByRole('button', { name: 'Turn on' }).click();
  await page.getByText('gRPC is on', { exact: true }).waitFor();
  await becomes(page, 'grpc', { state: 'enabled', keys_work: true });
  assert.deepEqual(problems, []);
  await context.close();
});

test('a spend cap is set, changed, and removed after a question', async () => {
  const account = await openAccount(origin, { services: { seal: 'pro' } });
  const { context, page, problems } = await signedIn(account, '/billing');
  const dialog = page.getByRole('dialog');
  await page.getByRole('button', { name: 'Set a cap' }).click();
  await dialog.getByLabel('Usage a month, at most').fill('40');
  await dialog.getByLabel('Stop the keys when it is reached').check();
  await dialog.getByRole('button', { name: 'Save' }).click();
  await page.getByText('Keys stop when it is reached, until the month ends.').waitFor();
  const cap = async () => (await apiGet(page, '/api/billing')).spend_cap;
  assert.deepEqual([(await cap()).amount_micros, (await cap()).hard_stop], [40_000_000, true]);
  await page.locator('#spend-cap').getByRole('button', { name: 'Change' }).click();
  await dialog.getByRole('button', { name: 'Remove the cap' }).click();
  assert.ok(await cap(), 'it is there until that is confirmed');
  await dialog.getByRole('button', { name: 'Remove the cap' }).click();
  await page.getByText('Spend cap removed').waitFor();
  assert.equal(await cap(), undefined);
  assert.deepEqual(problems, []);
  await context.close();
});

test('a Seal key is registered, gets a package, is turned off after a question, and deleted by its name', async () => {
  const account = await openAccount(origin, { services: { seal: 'pro' } });
  const { context, page, problems } = await signedIn(account, '/services/seal/seal-keys');
  const dialog = page.getByRole('dialog');
  await page.getByRole('button', { name: 'Create Seal key' }).click();
  await dialog.getByLabel('Name').fill('vault');
  await dialog.getByRole('button', { name: 'Create Seal key' }).click();
  await page.getByText('Registered', { exact: true }).waitFor();
  await page.getByRole('button', { name: 'Add package' }).click();
  await dialog.getByLabel('Package address').fill('0x12');
  await dialog.getByRole('button', { name: 'Add package' }).click();
  await dialog.getByText('Some values are not allowed').waitFor();
  await dialog.getByLabel('Package address').fill(`0x${'ab'.repeat(32)}`);
  await dialog.getByLabel('Name').fill('shop');
  await dialog.getByRole('button', { name: 'Add package' }).click();
  await page.getByText('shop', { exact: true }).waitFor();

  const panel = page.getByRole('main');
  await panel.getByRole('button', { name: 'Turn off', exact: true }).last().click();
  await dialog.getByRole('button', { name: 'Turn Seal key off' }).click();
  await panel.getByText('Off', { exact: true }).waitFor();
  await panel.getByRole('button', { name: 'Delete' }).click();
  const remove = dialog.getByRole('button', { name: 'Delete Seal key' });
  assert.ok(await remove.isDisabled(), 'its name has to be typed first');
  await dialog.getByLabel(/^Type/).fill('vault');
  await remove.click();
  await page.getByText('No Seal keys yet').waitFor();
  assert.deepEqual(await apiGet(page, '/api/services/seal/keys').then(({ items }) => items), []);
  assert.ok(problems.every((problem) => problem.includes('422')), `${problems}`);
  await context.close();
});

test('a service waits for its first payment, says what is missing, and begins as soon as that is there', async () => {
  const account = await openAccount(origin, { dollars: 5 });
  await account.ask('POST', '/api/services/seal/subscribe', { tier: 'pro' });
  const { context, page } = await signedIn(account, '/services/seal');
  await page.getByText(/first payment/i).first().waitFor();
  await becomes(page, 'seal', { state: 'disabled', awaits_payment: true, keys_work: false });
  assert.equal(await page.getByRole('button', { name: 'Turn on' }).count(), 0, 'it would be refused');
  await page.getByRole('main').getByRole('link', { name: 'Deposit', exact: true }).first().click();
  const dialog = page.getByRole('dialog');
  assert.equal(await dialog.getByLabel('Amount in USDC').inputValue(), '24.00');
  await dialog.getByRole('button', { name: 'Deposit', exact: true }).click();
  await dialog.getByText('Deposited.').waitFor();
  assert.equal(await dialog.getByRole('button', { name: 'Deposit', exact: true }).count(), 0, 'the same is not deposited twice by a slip');
  await dialog.getByRole('button', { name: 'Close' }).click();
  await until(async () => (await apiGet(page, '/api/billing')).owed_micros === 0, 'the invoice to be paid');
  await page.goto(`${origin}/services/seal`);
  await page.getByRole('button', { name: 'Turn on' }).click();
  await page.getByText('Seal is on', { exact: true }).waitFor();
  await becomes(page, 'seal', { state: 'enabled', awaits_payment: false, keys_work: true });
  assert.equal(await page.getByText(/first payment/i).count(), 0);
  await context.close();
});

test('a statement comes as a file with every entry, also those that the page has not loaded, and as a page on paper', async () => {
  const account = await openAccount(origin, { services: { seal: 'starter', grpc: 'starter' } });
  await until(async () => (await account.ask('GET', '/api/billing/entries')).items.length > 5, 'some entries');
  const { items: entries } = await account.ask('GET', '/api/billing/entries?limit=200');
  const { context, page, problems } = await signedIn(account, '/support');
  // The same server, two at a time.
  await page.route(`${origin}/api/billing/entries?*`, (route) => route.continue({ url: route.request().url().replace('limit=200', 'limit=2') }));
  await page.goto(`${origin}/billing/statement`);
  await page.getByRole('cell').first().waitFor();
  assert.equal(await page.getByRole('table').getByRole('row').count(), 3, 'a head and two entries');
  const [file] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: 'CSV' }).click()]);
  assert.equal(file.suggestedFilename(), 'statement.csv');
  const [head, ...rows] = (await readFile(await file.path(), 'utf8')).trimEnd().split('\r\n').map((line) => line.split(','));
  const told = rows.map((cells) => Object.fromEntries(cells.map((cell, index) => [head[index], cell])));
  const inFile = ({ at, reason, invoice = '', after }) => [at, reason, invoice, String(after.escrow_micros), String(after.owed_micros)];
  assert.deepEqual(
    told.map(({ at, reason, invoice, escrow_micros: escrow, owed_micros: owed }) => [at, reason, invoice, escrow, owed]),
    entries.map(inFile),
  );

  await page.emulateMedia({ media: 'print' });
  await page.evaluate(() => dispatchEvent(new Event('beforeprint')));
  await page.getByText(/^Printed/).waitFor();
  assert.ok(await page.getByText(`Customer ${account.customer}`).isVisible(), 'whose it is');
  assert.ok(await page.getByRole('table').isVisible());
  for (const hidden of [page.getByRole('navigation'), page.getByRole('button'), page.getByTestId('wallet-balance')]) {
    for (const one of await hidden.all()) assert.equal(await one.isVisible(), false, `${await one.textContent()} is not for paper`);
  }
  await page.evaluate(() => dispatchEvent(new Event('afterprint')));
  assert.deepEqual(problems, []);
  await page.unrouteAll({ behavior: 'wait' });
  await context.close();
});
