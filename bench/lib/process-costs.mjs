/** What a process has used and uses, as the system counts it. Not a number where there is no `/proc`. */
import { readFileSync } from "node:fs";

/** `sysconf(_SC_CLK_TCK)`: 100 on every Linux that runs Node. */
const US_PER_TICK = 10_000;

/** @returns user and system time in microseconds, in steps of 10 ms */
export function cpuUsOf(pid) {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const [user, system] = stat
      .slice(stat.lastIndexOf(")") + 2)
      .split(" ")
      .slice(11, 13);
    return (Number(user) + Number(system)) * US_PER_TICK;
  } catch {
    return Number.NaN;
  }
}

/** @returns resident bytes */
export function residentOf(pid) {
  try {
    return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) * 1_024;
  } catch {
    return Number.NaN;
  }
}
