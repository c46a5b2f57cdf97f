/** Names a process and a start of the system, so that a number that was given again is not taken for the old process. */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { uptime } from "node:os";

/** When the process began, in whatever words this system has for it; empty when it cannot be said. */
export function startOf(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The name of the command, in brackets, may hold blanks and brackets itself. The time counts from the system's start.
    const ticks = stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? "";
    return `${ticks} of ${systemBoot()}`;
  } catch {
    if (process.platform === "linux" || process.platform === "win32") return "";
  }
  try {
    return execFileSync("ps", ["-o", "lstart=", "-p", String(pid)], { encoding: "utf8" }).trim();
  } catch {
    return "";
  }
}

/** Whether that very process lives. */
export function isAlive(pid: number, start: string): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EPERM") return false; // it is there, and somebody else's
  }
  if (hasEnded(pid)) return false;
  return start === "" || startOf(pid) === start;
}

/** A process that was killed stays in the table until its parent looks, which in a container may be never. */
function hasEnded(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return /^[ZX]/.test(stat.slice(stat.lastIndexOf(")") + 2));
  } catch {
    return false;
  }
}

/** Another one after each start of the system. */
export function systemBoot(): string {
  try {
    return readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
  } catch {
    // To ten seconds: both clocks wander.
    return `at ${Math.round((Date.now() / 1000 - uptime()) / 10)}`;
  }
}
