/**
 * How much a page loads for the client, over `@trpc/client` which it has already: everything that `snapwire/client` exports,
 * bundled for browsers, minified and gzipped. Fails above the limit. `node scripts/client-size.mjs [entry.ts ...]`
 */

import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { rolldown } from "rolldown";

const LIMIT_BYTES = 15_000;
/** What an application has anyway. */
const GIVEN = [/^@trpc\//, /^@tanstack\//, /^react($|\/)/];
const at = (path) => fileURLToPath(new URL(`../${path}`, import.meta.url));

/** @returns Sizes in bytes, and what else the bundle would need at run time. */
export async function sizeOf(entry) {
  const bundle = await rolldown({
    input: at(entry),
    platform: "browser",
    external: GIVEN,
    transform: { target: "es2022" },
    logLevel: "silent",
  });
  const { output } = await bundle.generate({ format: "esm", minify: true, codeSplitting: false });
  await bundle.close();
  const code = output.map((chunk) => chunk.code ?? "").join("");
  const imports = output.flatMap((chunk) => chunk.imports ?? []);
  return {
    bytes: Buffer.byteLength(code),
    gzip: gzipSync(code, { level: 9 }).length,
    foreign: imports.filter((name) => !GIVEN.some((given) => given.test(name))),
  };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const entries = process.argv.slice(2);
  const kB = (bytes) => `${(bytes / 1000).toFixed(2)} kB`;
  for (const entry of entries.length ? entries : ["client/index.ts"]) {
    const { bytes, gzip, foreign } = await sizeOf(entry);
    console.log(`${entry}: ${kB(gzip)} gzipped (${kB(bytes)} minified), limit ${kB(LIMIT_BYTES)}`);
    if (foreign.length) console.log(`${entry} imports ${foreign.join(", ")}`);
    if (gzip > LIMIT_BYTES || foreign.length) process.exitCode = 1;
  }
}
