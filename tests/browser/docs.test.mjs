// The API's description, drawn: every operation is there, and nothing is asked of another host.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { checkLook, launch, open, origins, startServer } from './support.mjs';

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
