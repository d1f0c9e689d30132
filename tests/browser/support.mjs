// What the browser tests share: the program, a browser, pages that tell what went wrong, and axe.

import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { appendFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
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

/** A server with everything in a folder of its own. It can be stopped and started again at the same address. `before` has the folder first. */
export async function startServer(before = async () => undefined) {
  const folder = mkdtempSync(join(tmpdir(), 'suiftly-browser-'));
  execFileSync(program(), ['init', '--dir', join(folder, 'suiftly'), '--json']);
  const log = join(folder, 'haproxy.log');
  writeFileSync(log, '');
  const server = { folder, log, haproxySocket: join(folder, 'admin.sock'), origin: '', start, stop, remove };
  let child;
  await before(server);
  await start();
  return server;

  async function start() {
    const env = {
      ...process.env,
      SUIFTLY_HTTP_LISTEN: server.origin === '' ? '127.0.0.1:0' : new URL(server.origin).host,
      SUIFTLY_INTAKE_LOG_FILE: log,
      SUIFTLY_LOG_FORMAT: 'json',
      SUIFTLY_GATEWAY_HAPROXY_SOCKET: server.haproxySocket,
      SUIFTLY_GATEWAY_MAP_DIR: folder,
      SUIFTLY_GATEWAY_HEALTH_LISTEN: `127.0.0.1:${await freePort()}`,
      // Each page of these tests signs in, and all of them from one place.
      SUIFTLY_LIMITS_SIGN_IN_IP_PER_MIN: '1000',
      SUIFTLY_LIMITS_SIGN_IN_ADDRESS_PER_MIN: '1000',
      SUIFTLY_LIMITS_IP_PER_MIN: '100000',
      SUIFTLY_LIMITS_CUSTOMER_PER_MIN: '100000',
    };
    const args = ['serve', '--config', join(folder, 'suiftly/suiftly.toml')];
    child = spawn(program(), args, { env, stdio: ['ignore', 'ignore', 'pipe'] });
    server.origin = `http://${await printed(child, child.stderr, /"ready".*"address":"([^"]+)"/)}`;
  }

  async function stop() {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child.removeAllListeners('exit').once('exit', resolve));
    child.kill('SIGKILL');
    await ended;
  }

  async function remove() {
    await stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** What a process prints first of this form; what it printed instead, if it ends before. */
function printed(child, stream, form) {
  return new Promise((resolve, reject) => {
    let text = '';
    child.once('exit', (code) => reject(new Error(`it ended with ${code}: ${text}`)));
    stream.on('data', (chunk) => {
      text += chunk;
      const found = form.exec(text);
      if (found) resolve(found[1] ?? found[0]);
    });
  });
}

/** A real HAProxy with the shipped configuration, in the server's folder: the server reads its log and brings keys into it. */
export async function startHaproxy(server) {
  const upstream = createServer((request, response) => {
    request.resume().on('end', () => response.end('{"ok":true}'));
  });
  await new Promise((resolve) => upstream.listen(0, '127.0.0.1', resolve));
  const shipped = readFileSync(new URL('../../etc/haproxy/suiftly.cfg', import.meta.url), 'utf8');
  const ports = { 20002: await freePort(), 20003: await freePort(), 20004: await freePort() };
  const config = shipped
    .replace(/^ {2}(user|group|chroot) .*$/gm, '')
    .replace(/^ {2}stats socket .*$/m, `  stats socket ${server.haproxySocket} mode 600 level admin`)
    .replaceAll('/var/lib/suiftly/haproxy/', `${server.folder}/`)
    .replaceAll('log /dev/log len 8192 local0 info', 'log stdout len 8192 format raw local0 info')
    .replace(/^ {2}server s1 127\.0\.0\.1:\d+/gm, `  server s1 127.0.0.1:${upstream.address().port}`)
    .replace(/0\.0\.0\.0:(\d+)/g, (_, port) => `127.0.0.1:${ports[port]}`)
    // Two threads that write to standard output at once lose a line.
    .replace(/^ {2}maxconn .*$/m, '  maxconn 1000\n  nbthread 1');
  writeFileSync(join(server.folder, 'haproxy.cfg'), config);
  // As the server makes them where there are none: they refuse every key, until it has filled them.
  for (const name of ['keys', 'limits', 'allowlist']) writeFileSync(join(server.folder, `${name}.map`), '');
  writeFileSync(join(server.folder, 'version.map'), 'version none\n');
  const child = spawn('/usr/sbin/haproxy', ['-db', '-f', join(server.folder, 'haproxy.cfg')], { stdio: ['ignore', 'pipe', 'pipe'] });
  let errors = '';
  child.stderr.on('data', (chunk) => {
    errors += chunk;
  });
  child.stdout.on('data', (chunk) => appendFileSync(server.log, chunk));
  const seal = `http://127.0.0.1:${ports[20002]}`;
  await answered(seal, () => errors);
  return {
    seal,
    stop() {
      child.kill('SIGKILL');
      upstream.closeAllConnections();
      upstream.close();
    },
  };
}

async function freePort() {
  const probe = createServer();
  await new Promise((resolve) => probe.listen(0, '127.0.0.1', resolve));
  const { port } = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  return port;
}

async function answered(url, errors) {
  for (let attempt = 0; attempt < 100; attempt += 1) {
    const ok = await fetch(url).then(
      () => true,
      () => false,
    );
    if (ok) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`HAProxy does not answer: ${errors()}`);
}

export function launch() {
  mkdirSync(artefacts, { recursive: true });
  return chromium.launch({ executablePath: process.env.SUIFTLY_CHROMIUM ?? '/usr/bin/chromium', args: flags });
}

/** Opens a page in a context of its own, and gathers its requests, errors of scripts and of the console. */
export async function open(browser, url, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  // Closing may wait for ever for a page that is just on its way elsewhere. In the end the browser is closed, and all of them.
  const close = context.close.bind(context);
  context.close = () => Promise.race([close(), new Promise((resolve) => setTimeout(resolve, 20_000).unref())]);
  const page = await context.newPage();
  const problems = [];
  const requests = [];
  const unanswered = new Set();
  inFlight.set(page, unanswered);
  page.on('request', (request) => requests.push(request) && unanswered.add(request));
  for (const end of ['requestfinished', 'requestfailed']) page.on(end, (request) => unanswered.delete(request));
  page.on('console', (message) => message.type() === 'error' && problems.push(message.text()));
  page.on('response', (response) => response.status() >= 400 && problems.push(`${response.status()} ${response.url()}`));
  page.on('pageerror', (error) => problems.push(String(error)));
  await page.goto(url);
  return { context, page, problems, requests };
}

const inFlight = new WeakMap();

/** Opens an address; says what it waits for if it does not come. */
export async function visit(page, url, options = {}) {
  await page.goto(url, options).catch((error) => {
    const waiting = [...inFlight.get(page)].map((request) => `${request.method()} ${request.url()}`);
    throw new Error(`${error.message}\nunanswered: ${waiting.join(', ')}`);
  });
}

/** The origins that a page has asked. */
export function origins(requests) {
  return [...new Set(requests.map((request) => new URL(request.url()).origin))];
}

/** No serious finding of axe (which needs a context that bypasses CSP) and no sideways scrolling. Keeps a screenshot. */
export async function checkLook(page, name, withAxe = true) {
  await checkLayout(page, name, withAxe);
  await page.screenshot({ path: `${artefacts}${name}.png`, fullPage: true });
}

/** The same without a screenshot. */
export async function checkLayout(page, name, withAxe = true) {
  if (withAxe) await checkAxe(page, name);
  const [scroll, client] = await page.evaluate(() => [
    document.documentElement.scrollWidth,
    document.documentElement.clientWidth,
  ]);
  assert.ok(scroll <= client, `${name}: ${scroll} px of content in ${client} px`);
}

async function checkAxe(page, name) {
  await page.addScriptTag({ path: axe });
  const { violations } = await page.evaluate(() => globalThis.axe.run());
  const serious = violations.filter(({ impact }) => impact === 'serious' || impact === 'critical');
  assert.deepEqual(
    serious.map(({ id, nodes }) => [id, nodes.map(({ html }) => html)]),
    [],
    name,
  );
}
