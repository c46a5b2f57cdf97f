/**
 * Builds the board into `dist/board`, or another folder: `node scripts/build-board.mjs <folder>`. Prints what each file
 * weighs, and fails when all of them together weigh more than a page that is opened all day should.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import react from "@vitejs/plugin-react";
import { build } from "vite";

/** All files, gzipped, in bytes. */
const MAX_BYTES = 120_000;

process.env.NODE_ENV = "production"; // whoever builds it: tests would get the development runtime of React

const at = (path) => fileURLToPath(new URL(`../${path}`, import.meta.url));
const outDir = resolve(process.argv[2] ?? at("dist/board"));

await build({
  configFile: false,
  root: at("client/board"),
  base: "/",
  logLevel: "warn",
  plugins: [react()],
  build: {
    outDir,
    emptyOutDir: true,
    target: "es2022",
    cssTarget: ["chrome123", "firefox121", "safari17.5"], // `light-dark()` as it stands
    assetsInlineLimit: 0, // a data: address is not allowed by the page's own policy
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
  },
});

const sizes = readdirSync(outDir, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile())
  .map((entry) => join(entry.parentPath, entry.name))
  .map((path) => ({
    name: relative(outDir, path),
    bytes: gzipSync(readFileSync(path), { level: 9 }).length,
  }));
const total = sizes.reduce((sum, { bytes }) => sum + bytes, 0);
const kB = (bytes) => `${(bytes / 1000).toFixed(1)} kB`;
for (const { name, bytes } of sizes) console.log(`  ${name.padEnd(32)} ${kB(bytes).padStart(9)} gzipped`);
console.log(`board: ${kB(total)} gzipped of at most ${kB(MAX_BYTES)}`);
if (total > MAX_BYTES) {
  console.error("The board is too heavy: find what came in, or move it out of the first load.");
  process.exit(1);
}
