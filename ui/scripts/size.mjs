// size.mjs - the budget: everything that a visit loads, compressed, stays under 150 KB.

import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";

const BUDGET = 150_000;
const folder = process.argv[2];
const files = readdirSync(folder, { recursive: true }).map((f) => join(folder, f)).filter((f) => statSync(f).isFile() && !/\.(gz|br)$/.test(f));
const sizes = files.map((f) => ({ f, bytes: gzipSync(readFileSync(f), { level: 9 }).length }));
const total = sizes.reduce((n, s) => n + s.bytes, 0);
console.log(`${total} bytes gzip in ${files.length} files, budget ${BUDGET}`);
if (!files.length || total >= BUDGET) process.exit(1);
