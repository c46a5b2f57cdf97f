/** `snapwire hook` as a process: a file of its own, of Node's own modules only. */
import { runHook } from "./hook-run.ts";

/** Whatever goes wrong is ours, never the agent's. */
const end = (): never => process.exit(0);
process.on("uncaughtException", end);
process.on("unhandledRejection", end);
const { stderr } = process;
stderr.on("error", () => undefined);

runHook({
  args: process.argv.slice(2),
  env: process.env,
  stdin: process.stdin,
  cwd: () => process.cwd(),
  observedAt: Math.floor(performance.timeOrigin),
  complain: (line) => void stderr.write(`snapwire hook: ${line}\n`),
}).then(end, end);
