/** The clients of `load/fleet.mjs`, in a process of their own. */
import { fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { own } from "../lib/children.mjs";
import { Pending } from "../lib/lines.mjs";

const PROGRAM = fileURLToPath(new URL("../load/fleet.mjs", import.meta.url));

export async function startClients() {
  const child = own(fork(PROGRAM, [], { stdio: ["ignore", "ignore", "inherit", "ipc"] }));
  const pending = new Pending("the clients");
  child.on("exit", (code, signal) => pending.end(String(signal ?? code)));
  child.on("message", ({ id, result, error, ready }) => {
    if (ready) pending.answer("start-up", undefined);
    else if (error === undefined) pending.answer(id, result);
    else pending.refuse(id, error);
  });
  await pending.ask("start-up", 30, () => undefined);
  let last = 0;
  return {
    pid: child.pid,
    ask(command, input = {}, seconds = 150) {
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
