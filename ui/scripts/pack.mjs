// pack.mjs DIST OUT - copies the built page and puts a .gz and a .br beside each file that gets smaller by them, so that the
// worker compresses nothing at run time.

import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";

const [dist, out] = process.argv.slice(2);
rmSync(out, { recursive: true, force: true });
for (const name of readdirSync(dist, { recursive: true })) {
  const from = join(dist, name);
  if (!statSync(from).isFile()) continue;
  const bytes = readFileSync(from);
  const to = join(out, name);
  mkdirSync(dirname(to), { recursive: true });
  writeFileSync(to, bytes);
  const packed = {
    gz: gzipSync(bytes, { level: 9 }),
    br: brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length } }),
  };
  for (const [ending, smaller] of Object.entries(packed)) if (smaller.length < bytes.length * 0.95) writeFileSync(`${to}.${ending}`, smaller);
}
