/** One server under test, in a process and on a core of its own. */
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { SERVERS } from "../servers/catalogue.mjs";
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
  child.on("message", ({ id, result, error, ready }) => {
    if (ready) pending.answer("start-up", undefined);
    else if (error === undefined) pending.answer(id, result);
    else pending.refuse(id, error);
  });
  await pending.ask("start-up", 30, () => undefined);
  let last = 0;
  return {
    pid: child.pid,
    ask(command, input = {}, seconds = 120) {
      last += 1;
      const id = `${command} ${last}`;
      return pending.ask(id, seconds, () => child.send({ id, command, input }));
    },
    async close() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const gone = new Promise((resolve) => child.once("exit", resolve));
      child.kill("SIGKILL");
      await gone;
    },
  };
}
