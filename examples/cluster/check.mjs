/** Runs `run.sh --check`, where there is a nats-server. */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";

const folders = [...(process.env.PATH ?? "").split(delimiter), "/usr/sbin", "/usr/local/bin"];
if (!process.env.NATS_SERVER && !folders.some((folder) => existsSync(join(folder, "nats-server")))) {
  console.log("skipped: no nats-server is installed (apt-get install nats-server)");
  process.exit(0);
}
const { status } = spawnSync("bash", [fileURLToPath(new URL("run.sh", import.meta.url)), "--check"], {
  stdio: "inherit",
  timeout: 240_000,
});
process.exit(status ?? 1);
