// A real browser watches the demo's page: figures and charts move without a reload, nothing else is asked for.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { after, before, test } from 'node:test';

import { checkLook, launch, open as openPage, origins, program } from './support.mjs';

let demo;
let browser;
let url;

/** Starts the demo on a free port and reads the address that it prints. */
function startDemo() {
  return new Promise((resolve, reject) => {
    demo = spawn(program(), ['demo', '--listen', '127.0.0.1:0'], { stdio: ['ignore', 'pipe', 'inherit'] });
    demo.once('exit', (code) => reject(new Error(`the demo ended with ${code}`)));
    let output = '';
    demo.stdout.on('data', (chunk) => {
      output += chunk;
      const found = /http:\/\/[\d.:]+\//.exec(output);
      if (found) resolve({ url: found[0], output });
    });
  });
}

before(async () => {
  const started = await startDemo();
  url = started.url;
  assert.match(started.output, /real HAProxy/, 'the demo found no HAProxy: run `make setup` as root');
  browser = await launch();
});

after(async () => {
  await browser?.close();
  if (demo && demo.exitCode === null) {
    const ended = new Promise((resolve) => demo.removeAllListeners('exit').once('exit', resolve));
    demo.kill('SIGTERM');
    assert.equal(await ended, 0, 'the demo adds up and ends by SIGTERM');
  }
});

async function open(options = {}) {
  const opened = await openPage(browser, url, options);
  await opened.page.getByTestId('connection').getByText('Live').waitFor();
  return opened;
}

async function numberOf(locator) {
  return Number((await locator.textContent()).replace(/[^\d.]/g, ''));
}

/** Waits until the number is greater than `than`, and gives it. */
async function grown(page, testId, than) {
  await page.waitForFunction(
    ([id, floor]) => {
      const text = document.querySelector(`[data-testid="${id}"]`)?.textContent ?? '';
      return Number(text.replace(/[^\d.]/g, '')) > floor;
    },
    [testId, than],
    { timeout: 30_000 },
  );
  return numberOf(page.getByTestId(testId).first());
}

test('requests and cost move without a reload, and the cost is what the requests cost', async () => {
  const { context, page, problems, requests } = await open();
  const first = await grown(page, 'total-requests', 0);
  const second = await grown(page, 'total-requests', first);
  const third = await grown(page, 'total-requests', second);
  assert.ok(third > second && second > first);
  assert.ok((await grown(page, 'total-cost', 0)) > 0);
  const navigations = requests.filter((request) => request.isNavigationRequest()).length;
  assert.equal(navigations, 1, 'the page was loaded once');

  const overview = await (await fetch(`${url}api/demo/overview`)).json();
  assert.equal(overview.traffic, 'haproxy');
  const micros = (overview.total.billable_requests * overview.price.amount_micros) / overview.price.per_requests;
  assert.equal(overview.total.usage_micros, micros);

  const cards = page.getByTestId('customer-card');
  assert.equal(await cards.count(), 3);
  for (const customer of overview.customers) {
    const card = page.locator(`[data-customer-id="${customer.customer_id}"]`);
    assert.ok((await numberOf(card.getByTestId('customer-requests'))) >= customer.requests);
    assert.ok(await card.getByTestId('customer-chart').isVisible());
  }
  assert.deepEqual(problems, []);
  await context.close();
});

test('every request stays on the origin', async () => {
  const { context, page, requests } = await open();
  await grown(page, 'total-requests', 0);
  assert.deepEqual(origins(requests), [new URL(url).origin]);
  await context.close();
});

for (const colorScheme of ['light', 'dark']) {
  for (const width of [1280, 375]) {
    test(`${colorScheme} at ${width} px: no serious finding of axe, no sideways scrolling`, async () => {
      const { context, page } = await open({ colorScheme, viewport: { width, height: 900 }, bypassCSP: true });
      await grown(page, 'total-requests', 0);
      await checkLook(page, `live-${colorScheme}-${width}`);
      await context.close();
    });
  }
}
