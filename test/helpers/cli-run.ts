/** A command of the command line, run inside the test: its streams are kept, its world is made up. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Writable } from "node:stream";
import { runCli } from "../../src/cli/cli.ts";
import type { CliIo } from "../../src/cli/io.ts";

/** Keeps what was written. `stall` holds the reader back, `break` takes it away, as a closed pipe does. */
class KeptOutput extends Writable {
  text = "";
  columns: number | undefined;
  rows: number | undefined;
  #stalled: (() => void)[] | undefined;

  constructor({ columns, rows }: { columns?: number | undefined; rows?: number | undefined } = {}) {
    super({ decodeStrings: false, highWaterMark: 1024 });
    this.columns = columns;
    this.rows = rows;
    this.on("error", () => undefined);
  }

  override _write(chunk: string, _encoding: string, done: (error?: Error) => void): void {
    const take = (): void => {
      this.text += chunk;
      done();
    };
    if (this.#stalled) this.#stalled.push(take);
    else take();
  }

  get lines(): string[] {
    return this.text.split("\n").filter((line) => line !== "");
  }

  /** Each line as JSON; throws when one is not. */
  get json(): Record<string, unknown>[] {
    return this.lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  }

  stall(): void {
    this.#stalled ??= [];
  }

  flow(): void {
    const waiting = this.#stalled ?? [];
    this.#stalled = undefined;
    for (const take of waiting) take();
  }

  break(): void {
    this.destroy(Object.assign(new Error("write EPIPE"), { code: "EPIPE" }));
  }
}

export interface CliWorld {
  readonly env?: Record<string, string | undefined>;
  readonly cwd?: string;
  /** Both streams are a terminal of this size. */
  readonly terminal?: { readonly columns: number; readonly rows: number };
  /** Although there is a terminal: stderr goes into a file. */
  readonly hasLogFile?: boolean;
}

export interface RunningCli {
  readonly stdout: KeptOutput;
  readonly stderr: KeptOutput;
  /** The exit code. */
  readonly done: Promise<number>;
  signal(name: "SIGINT" | "SIGTERM"): void;
}

export function start(argv: readonly string[], world: CliWorld = {}): RunningCli {
  const stop = new AbortController();
  const { terminal } = world;
  const stdout = new KeptOutput(terminal);
  const stderr = new KeptOutput(terminal);
  const state = mkdtempSync(join(tmpdir(), "snapwire-state-"));
  const isTTY = terminal !== undefined;
  const io = {
    stdout,
    stderr,
    env: { HOME: "/nonexistent", XDG_STATE_HOME: state, ...world.env },
    cwd: world.cwd ?? "/",
    isTTY,
    isStderrTTY: isTTY && world.hasLogFile !== true,
    signal: stop.signal,
  } as unknown as CliIo; // `columns` may be undefined here
  const done = runCli(argv, io).finally(() => rmSync(state, { recursive: true, force: true }));
  return { stdout, stderr, done, signal: (name) => stop.abort(name) };
}

export interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
  /** Both, as a person sees them. */
  readonly said: string;
}

export async function run(argv: readonly string[], world: CliWorld = {}): Promise<Ran> {
  const running = start(argv, world);
  const code = await running.done;
  const [out, err] = [running.stdout.text, running.stderr.text];
  return { code, out, err, said: out + err };
}
