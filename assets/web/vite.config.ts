import { readFileSync } from 'node:fs';
import tailwindcss from '@tailwindcss/vite';
import react from '@vitejs/plugin-react';
import type { Plugin } from 'vite';
import { defineConfig } from 'vitest/config';

/** The server that answers while the pages are developed; its `http.public_url` is the address that Vite listens on. */
const BACKEND = process.env['SUIFTLY_URL'] ?? 'http://127.0.0.1:22700';
const FIRST_PAINT_SCRIPT = 'src/first-paint.js';

export default defineConfig({
  plugins: [react(), tailwindcss(), firstPaintScript()],
  server: {
    host: '127.0.0.1',
    port: 22710,
    strictPort: true,
    proxy: { '^/api/': BACKEND, '/health': BACKEND, '/ready': BACKEND },
  },
  build: {
    rolldownOptions: { input: ['index.html', 'demo.html', 'docs.html'] },
    outDir: '../dist',
    // For the budget in scripts/compress.mjs, which takes it away again.
    manifest: 'manifest.json',
    emptyOutDir: true,
    // Nothing is inlined: every asset is a hashed file that the server can cache for a year.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    target: 'es2022',
  },
  test: { include: ['src/**/*.test.ts'] },
});

/** Serves the theme script as a classic, blocking script: Vite itself only bundles module scripts, which run after the first paint. */
function firstPaintScript(): Plugin {
  const name = 'first-paint.js';
  let building = false;
  return {
    name: 'first-paint-script',
    configResolved(config) {
      building = config.command === 'build';
    },
    buildStart() {
      if (!building) return;
      const source = readFileSync(new URL(FIRST_PAINT_SCRIPT, import.meta.url), 'utf8');
      this.emitFile({ type: 'asset', name, source });
    },
    transformIndexHtml: {
      order: 'post',
      handler(html, { bundle }) {
        const emitted = Object.values(bundle ?? {}).find((file) => file.type === 'asset' && file.names.includes(name));
        const tag = `<script src="/${emitted?.fileName ?? FIRST_PAINT_SCRIPT}"></script>`;
        return html.replace('<meta name="viewport"', `${tag}\n    <meta name="viewport"`);
      },
    },
  };
}
