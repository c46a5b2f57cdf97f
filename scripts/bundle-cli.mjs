/**
 * Bundles the command, so that `npx snapwire` needs neither the optional tRPC peers nor a deep tree. Three files: the one
 * that is started, the one that it hands hooks of coding agents to (they are waited for), and the rest.
 * `node scripts/bundle-cli.mjs <file>`; the default is `dist/cli/snapwire.mjs`, the others stand beside it.
 */
import { chmodSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { rolldown } from "rolldown";

const at = (path) => fileURLToPath(new URL(`../${path}`, import.meta.url));

const file = resolve(process.argv[2] ?? at("dist/cli/snapwire.mjs"));
const beside = (name) => join(dirname(file), name);

await Promise.all([
  write("src/cli/launcher.ts", file, "#!/usr/bin/env node"),
  write("src/cli/hook-entry.ts", beside("snapwire-hook.mjs")),
  write("src/cli/main.ts", beside("snapwire-main.mjs")),
]);
chmodSync(file, 0o755);

async function write(input, output, banner) {
  const bundle = await rolldown({
    input: at(input),
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
    file: output,
    format: "esm",
    minify: false,
    codeSplitting: false,
    ...(banner && { banner }),
  });
  await bundle.close();
}
