// The API's description, drawn: every operation is there, and nothing is asked of another host.

import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { checkLook, launch, open, origins, program } from './support.mjs';

let folder;
let server;
let browser;
let origin;

/** Starts a server on a free port and reads the address from its log. */
function startServer() {
  folder = mkdtempSync(join(tmpdir(), 'suiftly-docs-'));
  execFileSync(program(), ['init', '--dir', join(folder, 'suiftly'), '--json']);
  writeFileSync(join(folder, 'haproxy.log'), '');
  const env = {
    ...process.env,
    SUIFTLY_HTTP_LISTEN: '127.0.0.1:0',
    SUIFTLY_INTAKE_LOG_FILE: join(folder, 'haproxy.log'),
    SUIFTLY_LOG_FORMAT: 'json',
  };
  return new Promise((resolve, reject) => {
    server = spawn(program(), ['serve', '--config', join(folder, 'suiftly/suiftly.toml')], {
      env,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    server.once('exit', (code) => reject(new Error(`the server ended with ${code}: ${log}`)));
    let log = '';
    server.stderr.on('data', (chunk) => {
      log += chunk;
      const found = /"ready".*"address":"([^"]+)"/.exec(log);
      if (found) resolve(`http://${found[1]}`);
    });
  });
}

before(async () => {
  origin = await startServer();
  browser = await launch();
});

after(async () => {
  await browser?.close();
  server?.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
});

test('every operation is drawn, opens, and no other host is asked', async () => {
  const { context, page, problems, requests } = await open(browser, `${origin}/api/docs`);
  await page.getByRole('heading', { level: 1 }).waitFor();
  const document = await (await fetch(`${origin}/api/openapi.json`)).json();
  const operations = Object.values(document.paths).flatMap((item) => Object.values(item));
  assert.equal(await page.locator('details').count(), operations.length);
  for (const tag of document.tags) {
    assert.ok(await page.getByRole('heading', { level: 2, name: tag.name, exact: true }).isVisible(), tag.name);
  }
  const card = page.locator('details', { hasText: '/api/services/{service}/api-keys/{api_key_id}/rotate' }).first();
  await card.locator('summary').click();
  assert.ok(await card.getByText('overlap_s').first().isVisible());
  assert.deepEqual(origins(requests), [origin]);
  assert.deepEqual(problems, []);
  await context.close();
});

for (const colorScheme of ['light', 'dark']) {
  for (const width of [1280, 375]) {
    test(`${colorScheme} at ${width} px: no serious finding of axe, no sideways scrolling`, async () => {
      const options = { colorScheme, viewport: { width, height: 900 }, bypassCSP: true };
      const { context, page } = await open(browser, `${origin}/api/docs`, options);
      await page.getByRole('heading', { level: 1 }).waitFor();
      await page.locator('summary').first().click();
      await checkLook(page, `docs-${colorScheme}-${width}`);
      await context.close();
    });
  }
}
