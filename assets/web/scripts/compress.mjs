// Writes a .br (and, where Node has it, a .zst) next to every text asset, so that the server sends stored bytes and never compresses
// while answering. Fails when the script needed before the first paint has outgrown its budget.
import { readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import * as zlib from 'node:zlib';

const DIST = new URL('../../dist/', import.meta.url).pathname;
const MANIFEST = join(DIST, 'manifest.json');
const TEXT = /\.(html|js|css|svg|json|txt|webmanifest)$/;
const FIRST_PAINT_BUDGET_BYTES = 200 * 1024;
/** The page that most people see first; it is fetched apart from what surrounds it. */
const FIRST_PAGE = 'src/pages/dashboard/route.tsx';

const sizes = new Map();
for (const path of listFiles(DIST).filter((file) => TEXT.test(file) && file !== MANIFEST)) {
  sizes.set(relative(DIST, path), compressFile(path));
}

const needed = [...new Set([...scriptsBeforeFirstPaint(readFileSync(join(DIST, 'index.html'), 'utf8')), ...scriptsOfPage(FIRST_PAGE)])];
const total = needed.reduce((sum, name) => sum + sizeOf(name), 0);
for (const [name, bytes] of sizes) console.log(`${String(bytes).padStart(8)} B br  ${name}`);
console.log(`${String(total).padStart(8)} B br  script before the first paint; the budget is ${FIRST_PAINT_BUDGET_BYTES} B`);
if (total > FIRST_PAINT_BUDGET_BYTES) {
  console.error('The script needed before the first paint exceeds its budget: load something later, or drop it.');
  process.exit(1);
}

function compressFile(path) {
  const content = readFileSync(path);
  const br = zlib.brotliCompressSync(content, {
    params: {
      [zlib.constants.BROTLI_PARAM_QUALITY]: zlib.constants.BROTLI_MAX_QUALITY,
      [zlib.constants.BROTLI_PARAM_SIZE_HINT]: content.length,
    },
  });
  writeFileSync(`${path}.br`, br);
  if (zlib.zstdCompressSync) {
    const params = { [zlib.constants.ZSTD_c_compressionLevel]: 19 };
    writeFileSync(`${path}.zst`, zlib.zstdCompressSync(content, { params }));
  }
  return br.length;
}

function scriptsBeforeFirstPaint(html) {
  const sources = html.matchAll(/<script[^>]*\ssrc="\/([^"]+)"/g);
  const preloads = html.matchAll(/<link[^>]*rel="modulepreload"[^>]*\shref="\/([^"]+)"/g);
  return [...sources, ...preloads].map((match) => match[1]);
}

/** A page's script and all that it cannot do without, by the bundler's own account, which is not shipped. */
function scriptsOfPage(source) {
  const manifest = JSON.parse(readFileSync(MANIFEST, 'utf8'));
  const files = new Set();
  const add = (key) => {
    const chunk = manifest[key];
    if (chunk === undefined) throw new Error(`the bundler's manifest has no ${key}`);
    if (files.has(chunk.file)) return;
    files.add(chunk.file);
    for (const other of chunk.imports ?? []) add(other);
  };
  add(source);
  rmSync(MANIFEST);
  return [...files];
}

function sizeOf(name) {
  const bytes = sizes.get(name);
  if (bytes === undefined) throw new Error(`index.html names ${name}, which the build did not write`);
  return bytes;
}

function listFiles(folder) {
  return readdirSync(folder, { withFileTypes: true })
    .toSorted((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((entry) => (entry.isDirectory() ? listFiles(join(folder, entry.name)) : [join(folder, entry.name)]));
}
