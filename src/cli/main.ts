/** The command as a process: arguments, environment, signals, streams, exit code. Everything else is `cli.ts`. */
import { runCli } from "./cli.ts";
import { EXIT } from "./exit-codes.ts";
import { aborted } from "./io.ts";
import { createSignals } from "./signals.ts";

const { stdout, stderr } = process;
// Whoever read us may be gone: that is an end, not a crash. What it means for a command is said in `cli.ts`.
for (const stream of [stdout, stderr]) stream.on("error", () => undefined);

const signals = createSignals({
  endNow: (name) => process.exit(name === "SIGINT" ? EXIT.interrupted : EXIT.failure),
});
let taker: ((name: NodeJS.Signals) => void) | undefined;
let deadly: NodeJS.Signals | undefined;
for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const)
  process.on(name, () => (taker ? taker(name) : signals.receive(name)));
/** Those that a wrapped command may wait for, besides. */
const MORE = ["SIGQUIT", "SIGUSR1", "SIGUSR2", "SIGWINCH", "SIGTSTP", "SIGCONT"] as const;

const exitCode = await runCli(process.argv.slice(2), {
  stdout,
  stderr,
  get stdin() {
    return process.stdin; // opened by whoever reads it
  },
  env: process.env,
  cwd: workingFolder(),
  isTTY: stdout.isTTY === true,
  isStderrTTY: stderr.isTTY === true,
  signal: signals.signal,
  takeSignals: (listener) => {
    taker = listener;
    for (const name of MORE) process.on(name, listener);
    return () => {
      taker = undefined;
      for (const name of MORE) process.off(name, listener);
    };
  },
  dieBy: (name) => {
    deadly = name;
  },
});
await flushed();
if (deadly !== undefined) {
  process.removeAllListeners(deadly);
  process.kill(process.pid, deadly);
  await new Promise((resolve) => setTimeout(resolve, 1_000)); // one that is ignored here
}
process.exit(exitCode);

/**
 * A pipe takes what was written in its own time, and a slow reader shall have all of it. Once we were told to end, a
 * second is enough.
 */
async function flushed(): Promise<void> {
  const written = [stdout, stderr].map(
    (stream) => new Promise<void>((done) => stream.write("", () => done())),
  );
  const enough = aborted(signals.signal).then(() => new Promise((done) => setTimeout(done, 1_000)));
  await Promise.race([Promise.all(written), enough]);
}

/** The folder may have been deleted under our feet; then its name is at least good for saying so. */
function workingFolder(): string {
  try {
    return process.cwd();
  } catch {
    return process.env.PWD ?? "/";
  }
}
