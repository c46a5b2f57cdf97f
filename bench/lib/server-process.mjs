/** One server under test, in a process and on a core of its own. */
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { SERVERS } from "../servers/catalogue.mjs";
import { asked } from "./asked-process.mjs";
import { onCore } from "./cores.mjs";
import { Pending } from "./lines.mjs";

const HOST = fileURLToPath(new URL("../servers/host.mjs", import.meta.url));

/** @returns ask(command, input, seconds?) and close() */
export async function startServer(name, { dist, nodeArgs = [] }) {
  const words = ["--expose-gc", ...nodeArgs, HOST, SERVERS[name].module];
  const [command, ...args] = onCore("server", process.execPath, ...words);
  const child = spawn(command, args, {
    stdio: ["ignore", "ignore", "pipe", "ipc"],
    env: { ...process.env, NODE_ENV: "production", SNAPWIRE_DIST: dist },
  });
  const pending = new Pending(`the server "${name}"`);
  let said = "";
  child.stderr.on("data", (chunk) => {
    said = (said + chunk).slice(-4_000);
  });
  child.on("exit", (code, signal) => pending.end(`${signal ?? code} ${said}`));
  child.on("error", (error) => pending.end(error.message));
  return await asked(child, pending, 120);
}
