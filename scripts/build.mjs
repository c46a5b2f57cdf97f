/**
 * Builds `dist`: the library by `tsc` (ESM and declarations), the command by rolldown (one file, so that
 * `npx snapwire` needs neither the optional tRPC peers nor a deep tree).
 */
import { execFileSync } from "node:child_process";
import { chmodSync, rmSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { rolldown } from "rolldown";

const root = fileURLToPath(new URL("..", import.meta.url));
const at = (path) => fileURLToPath(new URL(`../${path}`, import.meta.url));

rmSync(at("dist"), { recursive: true, force: true });
execFileSync(process.execPath, [at("node_modules/typescript/bin/tsc"), "-p", at("tsconfig.build.json")], {
  cwd: root,
  stdio: "inherit",
});
const bundle = await rolldown({
  input: at("src/cli/main.ts"),
  platform: "node",
  logLevel: "warn",
  external: ["bufferutil", "utf-8-validate"], // optional accelerators of `ws`, never needed
});
await bundle.write({
  file: at("dist/cli/snapwire.mjs"),
  format: "esm",
  minify: false,
  codeSplitting: false,
  banner: "#!/usr/bin/env node",
});
await bundle.close();
chmodSync(at("dist/cli/snapwire.mjs"), 0o755);
