/** One core for the server, another for the load client, so that neither is measured with the other's work. */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";

/** The cores that this process may use, by number; empty where that cannot be told. */
function allowed() {
  try {
    const [, list = ""] = /Cpus_allowed_list:\s*(\S+)/.exec(readFileSync("/proc/self/status", "utf8")) ?? [];
    return list.split(",").flatMap((range) => {
      const [first, last = first] = range.split("-").map(Number);
      return Array.from({ length: last - first + 1 }, (_, at) => first + at);
    });
  } catch {
    return [];
  }
}

const hasTaskset = spawnSync("taskset", ["--version"]).status === 0;
const cores = hasTaskset ? allowed() : [];

export const pinned = cores.length > 1;
const server = pinned ? ["taskset", "-c", String(cores.at(-1))] : [];
const load = pinned ? ["taskset", "-c", String(cores.at(0))] : [];

/** `[command, ...args]` of a process on the core of that role. */
export const onCore = (role, command, ...args) => [...(role === "server" ? server : load), command, ...args];
