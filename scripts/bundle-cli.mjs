/**
 * Bundles the command into one file, so that `npx snapwire` needs neither the optional tRPC peers nor a deep tree.
 * `node scripts/bundle-cli.mjs <file>`; the default is `dist/cli/snapwire.mjs`.
 */
import { chmodSync } from "node:fs";
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { rolldown } from "rolldown";

const at = (path) => fileURLToPath(new URL(`../${path}`, import.meta.url));

const file = resolve(process.argv[2] ?? at("dist/cli/snapwire.mjs"));
const bundle = await rolldown({
  input: at("src/cli/main.ts"),
  platform: "node",
  logLevel: "warn",
  external: [
    "bufferutil", // optional accelerators of `ws`, never needed
    "utf-8-validate",
    "lmdb", // native; without it the state is kept in memory
    "@nats-io/transport-node", // peers, loaded for `--journal` only
    "@nats-io/jetstream",
  ],
  transform: { target: "node20" },
});
await bundle.write({
  file,
  format: "esm",
  minify: false,
  codeSplitting: false,
  banner: "#!/usr/bin/env node",
});
await bundle.close();
chmodSync(file, 0o755);
