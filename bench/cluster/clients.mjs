/** The clients of `load/fleet.mjs`, in a process of their own. */
import { fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { asked } from "../lib/asked-process.mjs";
import { own } from "../lib/children.mjs";
import { Pending } from "../lib/lines.mjs";

const PROGRAM = fileURLToPath(new URL("../load/fleet.mjs", import.meta.url));

export async function startClients() {
  const child = own(fork(PROGRAM, [], { stdio: ["ignore", "ignore", "inherit", "ipc"] }));
  const pending = new Pending("the clients");
  child.on("exit", (code, signal) => pending.end(String(signal ?? code)));
  return await asked(child, pending, 150);
}
