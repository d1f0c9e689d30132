// A customer's account, made over the API in a moment, and pages that are signed in to it.

import assert from 'node:assert/strict';
import { appendFileSync } from 'node:fs';
import { createRequire } from 'node:module';

import { open } from './support.mjs';

const require = createRequire(new URL('../../assets/web/package.json', import.meta.url));

/** A new key of a wallet, as the demo wallet keeps it. */
export async function walletKey() {
  return (await ed25519()).generate().getSecretKey();
}

async function ed25519() {
  return (await import(require.resolve('@mysten/sui/keypairs/ed25519'))).Ed25519Keypair;
}

/** A page whose demo wallet has this key; `path` is opened signed in. */
export async function signedIn(browser, origin, key, path, options = {}) {
  const opened = await open(browser, 'about:blank', options);
  const { page } = opened;
  await page.addInitScript((secret) => localStorage.setItem('suiftly.demo-wallet', secret), key);
  await page.goto(`${origin}/login${path === '/' ? '' : `?next=${encodeURIComponent(path)}`}`);
  await page.getByRole('button', { name: /Demo wallet/ }).click();
  await page.getByTestId('wallet-balance').waitFor();
  return opened;
}

/** What the page itself asks the API, with its session. */
export function apiGet(page, path) {
  return page.evaluate(async (url) => (await fetch(url)).json(), path);
}

/** The API's answer as it is, with some of it changed: states that take days to come about. */
export async function pretend(page, url, change) {
  await page.route(url, (route) => answerOtherwise(route, change).catch(unlessClosed));
}

async function answerOtherwise(route, change) {
  const response = await route.fetch();
  const answer = await response.json();
  await route.fulfill({ response, json: typeof change === 'function' ? change(answer) : { ...answer, ...change } });
}

/** A page may be closed while it waits for an answer. */
function unlessClosed(error) {
  if (!/closed|disposed/i.test(error.message)) throw error;
}

/** Signs in over the API. `ask(method, path, body)` gives the answer's body and fails with the problem otherwise. */
async function session(origin, key) {
  const pair = (await ed25519()).fromSecretKey(key);
  const sign = async (text) => (await pair.signPersonalMessage(new TextEncoder().encode(text))).signature;
  let cookie = '';
  const ask = async (method, path, body) => {
    const headers = { ...(cookie === '' ? {} : { cookie }), ...(body === undefined ? {} : { 'content-type': 'application/json' }) };
    const answer = await fetch(origin + path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
    const text = await answer.text();
    assert.ok(answer.ok, `${method} ${path}: ${answer.status} ${text}`);
    const set = answer.headers.getSetCookie().map((one) => one.split(';')[0]);
    if (set.length > 0) cookie = set.join('; ');
    return text === '' ? undefined : JSON.parse(text);
  };
  const address = pair.toSuiAddress();
  const { nonce, message } = await ask('POST', '/api/auth/connect-wallet', { address });
  await ask('POST', '/api/auth/verify-signature', { address, nonce, signature: await sign(message) });
  return { ask, sign };
}

/** Has the wallet sign something about escrow, such as a deposit, and waits until it is in the books. */
async function transact({ ask, sign }, action, dollars) {
  const made = await ask('POST', '/api/billing/escrow/transactions', { action, amount_micros: dollars * 1_000_000 });
  const path = `/api/billing/escrow/transactions/${made.digest}`;
  await ask('POST', `${path}/signature`, { signature: await sign(made.content) });
  await until(async () => (await ask('GET', path)).state === 'credited', `${action} to be credited`);
}

/**
 * A customer who has accepted the terms and deposited, with a spending limit if one is given, and with these services turned on (`{seal: 'pro'}`) and keys of these names
 * (`{seal: ['production']}`). `keys` has their texts and fingerprints.
 */
export async function openAccount(origin, { dollars = 100, limit, services = {}, keys = {} } = {}) {
  const key = await walletKey();
  const wallet = await session(origin, key);
  const { ask } = wallet;
  const customer = await ask('GET', '/api/customer');
  await ask('POST', '/api/customer/terms', { version: customer.current_terms_version });
  if (dollars > 0) {
    await ask('POST', '/api/billing/escrow/faucet');
    await transact(wallet, 'deposit', dollars);
  }
  if (limit !== undefined) await transact(wallet, 'set_spending_limit', limit);
  for (const [service, tier] of Object.entries(services)) {
    await ask('POST', `/api/services/${service}/subscribe`, { tier });
    await until(async () => (await ask('GET', '/api/billing/invoices?state=pending')).items.length === 0, `${service} to be paid`);
    await ask('POST', `/api/services/${service}/enable`);
  }
  const made = [];
  for (const [service, names] of Object.entries(keys)) {
    for (const name of names) made.push({ service, ...(await ask('POST', `/api/services/${service}/api-keys`, { name })) });
  }
  return { key, ask, customer: customer.customer_id, keys: made };
}

/** Waits for what comes by itself; only a server that has stopped takes so long. */
export async function until(come, what) {
  for (const deadline = Date.now() + 60_000; Date.now() < deadline; await new Promise((resolve) => setTimeout(resolve, 50))) {
    if (await come()) return;
  }
  assert.fail(`waited in vain for ${what}`);
}

const SERVICE_NUMBER = { seal: 1, grpc: 2, graphql: 3 };
const PATHS = {
  seal: ['POST /v1/fetch_key', 'POST /v1/fetch_key', 'POST /v1/fetch_key', 'GET /v1/service'],
  grpc: ['POST /sui.rpc.v2.LedgerService/GetObject', 'POST /sui.rpc.v2.LedgerService/GetTransaction', 'POST /sui.rpc.v2.StateService/ListOwnedObjects'],
  graphql: ['POST /graphql'],
};
const HOUR_MS = 3_600_000;
/** Class, event and status of some of a hundred requests; the rest is guaranteed and well. */
const FATES = [
  { upTo: 6, fate: '2 0 200' },
  { upTo: 8, fate: '4 0 429' },
  { upTo: 9, fate: '3 31 401' },
  { upTo: 9.6, fate: '1 50 502' },
  { upTo: 11, fate: '1 0 404' },
  { upTo: 100, fate: '1 0 200' },
];

/** Appends what HAProxy would have logged in the last days for an account's keys: busier by day, a little unlike every day, the same each time. */
export function writeHistory(server, account, { days = 30, perHour = 60 } = {}) {
  const random = numbers(7);
  const now = Date.now();
  const lines = [];
  for (let hour = now - days * 24 * HOUR_MS; hour < now - HOUR_MS / 60; hour += HOUR_MS) {
    const day = Math.sin(((hour / HOUR_MS + 16) % 24) * (Math.PI / 12)) * 0.6 + 1;
    for (const [index, key] of account.keys.entries()) {
      const count = Math.round((perHour * day * (0.8 + 0.4 * random())) / (1 + index));
      for (let one = 0; one < count; one += 1) {
        const at = Math.floor(hour + random() * HOUR_MS);
        if (at < now) lines.push([at, key]);
      }
    }
  }
  lines.sort(([a], [b]) => a - b);
  const text = lines.map(([at, key], index) => {
    const dice = random() * 100;
    const { fate } = FATES.find(({ upTo }) => dice < upTo);
    const [klass, event, status] = fate.split(' ');
    const paths = PATHS[key.service];
    const wait = Math.round(3 + 12 * random() ** 4 + (random() > 0.985 ? 180 * random() : 0));
    const bytes = Math.round(300 + 4000 * random());
    const fingerprint = (key.fingerprint >>> 0).toString(16).toUpperCase();
    const client = `203.0.113.${1 + Math.floor(random() ** 3 * 40)}`;
    return `s1 ${at} 1 4711 ${index} ${index} ${account.customer} ${SERVICE_NUMBER[key.service]} 1 ${klass} ${event} ${fingerprint} ${client} ${20000 + (index % 40000)} 20002 ${paths[index % paths.length]} ${status} 420 ${bytes} 0/0/0/0/1/${wait}/${wait + 1} -- be_${key.service} s1 1\n`;
  });
  for (let from = 0; from < text.length; from += 10_000) appendFileSync(server.log, text.slice(from, from + 10_000).join(''));
  return text.length;
}

/** Random numbers below one, the same each time. */
function numbers(seed) {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}
