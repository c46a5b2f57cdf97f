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
for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(name, () => signals.receive(name));

const exitCode = await runCli(process.argv.slice(2), {
  stdout,
  stderr,
  env: process.env,
  cwd: workingFolder(),
  isTTY: stdout.isTTY === true,
  isStderrTTY: stderr.isTTY === true,
  signal: signals.signal,
});
await flushed();
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
