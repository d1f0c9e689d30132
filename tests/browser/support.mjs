// What the browser tests share: the program, a browser, pages that tell what went wrong, and axe.

import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

const require = createRequire(new URL('../../assets/web/package.json', import.meta.url));
const { chromium } = require('playwright-core');
const axe = require.resolve('axe-core/axe.min.js');

const artefacts = fileURLToPath(new URL('../artefacts/', import.meta.url));
const flags = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** The program under test. */
export function program() {
  assert.ok(process.env.SUIFTLY_BIN, 'SUIFTLY_BIN names the program: run `make test-browser`');
  return process.env.SUIFTLY_BIN;
}

export function launch() {
  mkdirSync(artefacts, { recursive: true });
  return chromium.launch({ executablePath: process.env.SUIFTLY_CHROMIUM ?? '/usr/bin/chromium', args: flags });
}

/** Opens a page in a context of its own, and gathers its requests, errors of scripts and of the console. */
export async function open(browser, url, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  const page = await context.newPage();
  const problems = [];
  const requests = [];
  page.on('request', (request) => requests.push(request));
  page.on('console', (message) => message.type() === 'error' && problems.push(message.text()));
  page.on('pageerror', (error) => problems.push(String(error)));
  await page.goto(url);
  return { context, page, problems, requests };
}

/** The origins that a page has asked. */
export function origins(requests) {
  return [...new Set(requests.map((request) => new URL(request.url()).origin))];
}

/** No serious finding of axe and no sideways scrolling; needs a context that bypasses CSP. Keeps a screenshot. */
export async function checkLook(page, name) {
  await page.addScriptTag({ path: axe });
  const { violations } = await page.evaluate(() => globalThis.axe.run());
  const serious = violations.filter(({ impact }) => impact === 'serious' || impact === 'critical');
  assert.deepEqual(
    serious.map(({ id, nodes }) => [id, nodes.map(({ html }) => html)]),
    [],
  );
  const [scroll, client] = await page.evaluate(() => [
    document.documentElement.scrollWidth,
    document.documentElement.clientWidth,
  ]);
  assert.ok(scroll <= client, `${scroll} px of content in ${client} px`);
  await page.screenshot({ path: `${artefacts}${name}.png`, fullPage: true });
}
