// One run of bench/dashboard.sh: a line of JSON.

import { apiGet, openAccount, signedIn, until, writeHistory } from '../tests/browser/account.mjs';
import { launch, startHaproxy, startServer } from '../tests/browser/support.mjs';

const LOADS = 5;
const REQUESTS = 40;
const MICROS = 1_000_000;

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
  const lines = writeHistory(server, account);
  await until(async () => (await account.ask('GET', '/api/traffic/summary?range=90d')).current.requests === lines, 'the history to be counted');
  const paint = await paints(account);
  const result = {
    script_bytes: paint.scriptBytes,
    paint_ms: spread(paint.times),
    interaction_ms: spread(await interactions(account)),
    request_to_page_ms: spread(await requestsToPage()),
    keys_scroll: await scroll(account, '/services/seal/keys', '**/api/services/seal/api-keys?*', manyKeys, 'production 9,999'),
    invoices_scroll: await scroll(account, '/billing/invoices', '**/api/billing/invoices?*', manyInvoices, 'INV-000001'),
  };
  console.log(JSON.stringify(result));
} finally {
  await browser.close();
  haproxy.stop();
  await server.remove();
}

function spread(times) {
  const sorted = times.toSorted((a, b) => a - b);
  const at = (share) => Math.round(sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)]);
  return { p50: at(0.5), p95: at(0.95), worst: at(1), of: sorted.length };
}

/** Largest contentful paint of the dashboard with an empty cache, and the scripts that came before it, compressed. */
async function paints(account) {
  const { context, page } = await signedIn(browser, server.origin, account.key, '/support');
  const session = await context.newCDPSession(page);
  await session.send('Network.enable');
  const times = [];
  let scriptBytes = 0;
  for (let load = 0; load < LOADS; load += 1) {
    await session.send('Network.clearBrowserCache');
    await page.goto(`${server.origin}/`);
    await page.getByRole('img', { name: /Requests in the last 24 hours/ }).waitFor();
    const found = await page.evaluate(async () => {
      const entries = await new Promise((resolve) => {
        new PerformanceObserver((list) => resolve(list.getEntries())).observe({ type: 'largest-contentful-paint', buffered: true });
      });
      const first = performance.getEntriesByName('first-contentful-paint')[0].startTime;
      const scripts = performance.getEntriesByType('resource').filter((one) => one.name.endsWith('.js') && one.responseEnd <= first);
      return { largest: entries.at(-1).startTime, bytes: scripts.reduce((sum, one) => sum + one.encodedBodySize, 0) };
    });
    times.push(found.largest);
    scriptBytes = Math.max(scriptBytes, found.bytes);
  }
  await context.close();
  return { times, scriptBytes };
}

/** From a click to the next frame that shows its effect, as the browser itself measures it (Event Timing, in steps of 8 ms). */
async function interactions(account) {
  const { context, page } = await signedIn(browser, server.origin, account.key, '/');
  await page.evaluate(() => {
    window.interactions = new Map();
    new PerformanceObserver((list) => {
      for (const { interactionId, duration } of list.getEntries()) {
        if (interactionId > 0) window.interactions.set(interactionId, Math.max(duration, window.interactions.get(interactionId) ?? 0));
      }
    }).observe({ type: 'event', durationThreshold: 16, buffered: true });
  });
  const button = (name) => page.getByRole('button', { name, exact: true }).first().click();
  const link = (name) => page.getByRole('navigation', { name: 'Pages' }).getByRole('link', { name, exact: true }).first().click();
  const range = (name) => page.locator('fieldset label', { hasText: new RegExp(`^${name}$`) }).click();
  let clicks = 0;
  const act = async (action) => {
    await action();
    clicks += 1;
    await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve, 150))));
  };
  for (let round = 0; round < 3; round += 1) {
    await act(() => button('Seal'));
    for (const name of ['Traffic', 'API keys', 'Logs', 'Overview']) await act(() => link(name));
    await act(() => link('Traffic'));
    for (const name of ['7 days', '30 days', '24 hours', 'Bandwidth', 'Status', 'Class']) await act(() => range(name));
    await act(() => page.getByRole('navigation', { name: 'Pages' }).getByRole('link', { name: 'API keys', exact: true }).first().click());
    await act(() => page.getByRole('button', { name: 'Actions of production' }).click());
    await act(() => button('Rename'));
    await act(() => page.keyboard.press('Escape'));
    await act(() => page.getByRole('button', { name: 'Requests, 24 h' }).first().click());
    await act(() => page.getByRole('button', { name: /^Notices/ }).click());
    await act(() => page.keyboard.press('Escape'));
    await act(() => link('Activity'));
    await act(() => link('Dashboard'));
    await act(() => button('Seal'));
  }
  const seen = await page.evaluate(() => [...window.interactions.values()]);
  await context.close();
  // Those of less than 16 ms are not told.
  return [...seen, ...Array.from({ length: Math.max(0, clicks - seen.length) }, () => 16)];
}

/** From sending a request to its number on the page, which nobody reloads; of an account whose number only grows. */
async function requestsToPage() {
  const account = await openAccount(server.origin, { services: { seal: 'pro' }, keys: { seal: ['production'] } });
  const { context, page } = await signedIn(browser, server.origin, account.key, '/');
  const key = account.keys[0].text;
  const send = (path) => fetch(`${haproxy.seal}${path}`, { headers: { 'X-API-Key': key } });
  await until(async () => (await send('/v1/service')).status === 200, 'the key to work');
  await send('/v1/mark');
  await until(async () => (await apiGet(page, '/api/traffic/requests?service=seal&path=/v1/mark')).items.length > 0, 'all to be counted');
  const shown = async (count) => {
    await page.waitForFunction((wanted) => Number(document.querySelector('[data-testid="requests"]')?.textContent.replaceAll(',', '')) >= wanted, count);
  };
  const times = [];
  for (let number = 0; number < REQUESTS; number += 1) {
    const { current } = await apiGet(page, '/api/traffic/summary?range=24h');
    await shown(current.requests);
    const sent = performance.now();
    await send('/v1/fetch_key');
    await shown(current.requests + 1);
    times.push(performance.now() - sent);
  }
  await context.close();
  return times;
}

/** The wheel from the top of a long list to its end: how long its frames take. */
async function scroll(account, path, api, many, last) {
  const { context, page } = await signedIn(browser, server.origin, account.key, '/support');
  const known = await apiGet(page, path === '/billing/invoices' ? '/api/billing/invoices' : '/api/services/seal/api-keys');
  await page.route(api, (route) => route.fulfill({ json: many(known) }));
  await page.goto(server.origin + path);
  const list = page.getByRole('region', { name: /, table$/ });
  await list.waitFor();
  await list.hover();
  await page.evaluate(() => {
    window.frames = [];
    let before = performance.now();
    const tick = (now) => {
      window.frames.push(now - before);
      before = now;
      requestAnimationFrame(tick);
    };
    requestAnimationFrame(tick);
  });
  for (let turn = 0; turn < 120; turn += 1) {
    await page.mouse.wheel(0, turn < 90 ? 400 : 40_000);
    await page.evaluate(() => new Promise(requestAnimationFrame));
  }
  await page.getByText(last, { exact: true }).waitFor();
  const frames = (await page.evaluate(() => window.frames)).slice(2);
  const rows = await page.getByRole('row').count();
  await context.close();
  return { ...spread(frames), over_50_ms: Number(((100 * frames.filter((ms) => ms > 50).length) / frames.length).toFixed(1)), worst_ms: Math.round(Math.max(...frames)), drawn_rows: rows };
}

function manyKeys({ items: [known] }) {
  const items = Array.from({ length: 10_000 }, (_, number) => ({ ...known, api_key_id: `key_${number}`, name: `production ${number.toLocaleString('en-US')}` }));
  return { items, included: 2, max: 20_000 };
}

function manyInvoices({ items }) {
  const known = items.find(({ state }) => state === 'paid');
  const months = (back) => new Date(Date.UTC(2026, 9 - back, 1)).toISOString();
  return {
    items: Array.from({ length: 1_000 }, (_, number) => ({
      ...known,
      invoice: `INV-${String(1_000 - number).padStart(6, '0')}`,
      month: months(number).slice(0, 7),
      issued_at: months(number),
      charges_micros: (9 + (number % 40)) * MICROS,
      amount_micros: (9 + (number % 40)) * MICROS,
    })),
  };
}
