/**
 * Builds `dist`: the library by `tsc` (ESM and declarations), the command by rolldown (one file; see
 * `bundle-cli.mjs`), the board by Vite (`build-board.mjs`).
 */
import { execFileSync } from "node:child_process";
import { rmSync } from "node:fs";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const at = (path) => fileURLToPath(new URL(`../${path}`, import.meta.url));

rmSync(at("dist"), { recursive: true, force: true });
execFileSync(process.execPath, [at("node_modules/typescript/bin/tsc"), "-p", at("tsconfig.build.json")], {
  cwd: root,
  stdio: "inherit",
});
execFileSync(process.execPath, [at("scripts/bundle-cli.mjs")], { cwd: root, stdio: "inherit" });
execFileSync(process.execPath, [at("scripts/build-board.mjs")], { cwd: root, stdio: "inherit" });
