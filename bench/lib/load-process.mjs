/** The load client, in a process and on a core of its own: C++ where it can be built, Node otherwise. */
import { spawn, spawnSync } from "node:child_process";
import { mkdirSync, statSync } from "node:fs";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { onCore } from "./cores.mjs";
import { Pending } from "./lines.mjs";

const at = (path) => fileURLToPath(new URL(`../${path}`, import.meta.url));
const modified = (path) => statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;

/** @returns which client there is, and the command that starts it */
export function prepareLoadClient({ wanted = "cpp", log = () => undefined } = {}) {
  const node = { kind: "node", command: [process.execPath, at("load/client.mjs")] };
  if (wanted === "node") return node;
  const source = at("load/client.cpp");
  const binary = at("node_modules/.cache/load-client");
  if (modified(binary) < modified(source)) {
    if (spawnSync("g++", ["--version"]).status !== 0) {
      log("there is no g++: the load client is the one in Node, and may be what is measured");
      return node;
    }
    log("building the load client (g++ -O2)");
    mkdirSync(at("node_modules/.cache"), { recursive: true });
    const { status, stderr } = spawnSync("g++", ["-O2", "-std=c++17", "-o", binary, source], {
      encoding: "utf8",
    });
    if (status !== 0) throw new Error(`the load client does not build:\n${stderr}`);
  }
  return { kind: "cpp", command: [binary] };
}

/** @returns ask(command line, seconds?) and close() */
export function startLoad(client, options) {
  const words = Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)]);
  const [command, ...args] = onCore("load", ...client.command, ...words);
  const child = spawn(command, args, { stdio: ["pipe", "pipe", "inherit"] });
  const pending = new Pending("the load client");
  child.on("exit", (code, signal) => pending.end(String(signal ?? code)));
  child.on("error", (error) => pending.end(error.message));
  child.stdin.on("error", () => undefined);
  createInterface({ input: child.stdout }).on("line", (line) => {
    const { fatal, reply, ...rest } = JSON.parse(line);
    if (fatal) pending.end(fatal);
    else pending.answer(reply, rest);
  });
  return {
    ask(line, seconds = 120) {
      const [name] = line.split(" ");
      return pending.ask(name, seconds, () => child.stdin.write(`${line}\n`));
    },
    async close() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const gone = new Promise((resolve) => child.once("exit", resolve));
      child.stdin.end("quit\n");
      await gone;
    },
  };
}
