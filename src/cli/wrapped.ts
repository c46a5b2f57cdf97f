/**
 * A command in a session of its own, as if it had been started without us: its bytes, its signals, its end. It gets a
 * process group so that a signal reaches everything that it started, and the terminal's signals reach it once, by us.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { constants } from "node:os";
import type { CliIo, CliOutput } from "./io.ts";
import { SAME_PRESS_MS } from "./signals.ts";

export interface WrappedEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** It could not be started at all. */
  readonly error?: NodeJS.ErrnoException;
  /** It ended after it had been asked to. */
  readonly wasAsked: boolean;
}

export interface WrappedOptions {
  readonly command: readonly string[];
  readonly io: CliIo;
  /** False: it gets our streams themselves, a terminal as a terminal, and nothing of it is seen here. */
  readonly captures: boolean;
  readonly onStart: () => void;
  /** Asked to end. */
  readonly onAsked: () => void;
  readonly onOutput: (chunk: Buffer, stream: "stdout" | "stderr") => void;
}

/** For what a command left in its pipes, once it has ended and nothing came for this long, in milliseconds. */
const REST_MS = 250;
const ENDING: readonly string[] = ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"];

export async function runWrapped(options: WrappedOptions): Promise<WrappedEnd> {
  const { command, io, captures, onStart, onAsked } = options;
  const [program = "", ...args] = command;
  const stdio = captures
    ? (["inherit", "pipe", "pipe"] as const)
    : (["inherit", "inherit", "inherit"] as const);
  let child: ChildProcess;
  try {
    child = spawn(program, args, { cwd: io.cwd, env: { ...io.env }, stdio: [...stdio], detached: true });
  } catch (error) {
    return { code: null, signal: null, error: error as NodeJS.ErrnoException, wasAsked: false };
  }
  let wasAsked = false;
  const giveBack = io.takeSignals?.(
    forwarding(child, () => {
      wasAsked = true;
      onAsked();
    }),
  );
  child.once("spawn", onStart);
  const flows = [
    passed(child.stdout, io.stdout, (chunk) => options.onOutput(chunk, "stdout")),
    passed(child.stderr, io.stderr, (chunk) => options.onOutput(chunk, "stderr")),
  ];
  try {
    const ended = await new Promise<Omit<WrappedEnd, "wasAsked">>((resolve) => {
      child.once("error", (error) => resolve({ code: null, signal: null, error }));
      child.once("exit", (code, signal) => resolve({ code, signal }));
    });
    if (!ended.error) await Promise.all(flows.map((flow) => flow.rest()));
    return { ...ended, wasAsked };
  } finally {
    giveBack?.();
  }
}

/** What a shell says of an end: 128 and the number of the signal. */
export function exitCodeOf({ code, signal, error }: WrappedEnd): number {
  if (error) return error.code === "ENOENT" ? 127 : 126;
  return signal === null ? (code ?? 1) : 128 + (constants.signals[signal] ?? 0);
}

function forwarding(child: ChildProcess, onAsked: () => void): (name: NodeJS.Signals) => void {
  const lastAt = new Map<string, number>();
  const toGroup = (name: NodeJS.Signals): void => {
    if (child.pid === undefined) return;
    try {
      process.kill(-child.pid, name);
    } catch {
      // it has ended
    }
  };
  return (name) => {
    // One press of Ctrl-C comes by the terminal and by whoever started us.
    const again = performance.now() - (lastAt.get(name) ?? Number.NEGATIVE_INFINITY) < SAME_PRESS_MS;
    if (ENDING.includes(name)) {
      if (again) return;
      lastAt.set(name, performance.now());
      onAsked();
    }
    if (name !== "SIGTSTP") return toGroup(name);
    toGroup("SIGSTOP"); // a session without a terminal does not heed the other
    process.kill(process.pid, "SIGSTOP");
  };
}

/** Byte by byte, no faster than it is taken. A reader that has gone is gone for the command too. */
function passed(
  from: NodeJS.ReadableStream | null,
  to: CliOutput,
  onOutput: (chunk: Buffer) => void,
): { rest(): Promise<void> } {
  if (!from) return { rest: () => Promise.resolve() };
  let heardAt = performance.now();
  let isFull = false;
  let isOver = false;
  const gone = (): void => {
    (from as NodeJS.ReadableStream & { destroy(): void }).destroy();
  };
  to.on("error", gone);
  const over = new Promise<void>((resolve) => {
    from.on("close", () => {
      isOver = true;
      resolve();
    });
  });
  from.on("error", () => undefined);
  from.on("data", (chunk: Buffer) => {
    heardAt = performance.now();
    onOutput(chunk);
    if (to.write(chunk)) return;
    isFull = true;
    from.pause();
    to.once("drain", () => {
      isFull = false;
      heardAt = performance.now();
      from.resume();
    });
  });
  return {
    /** Something that it left behind may hold the pipe open for ever. */
    async rest() {
      while (!isOver && (isFull || performance.now() - heardAt < REST_MS))
        await Promise.race([over, new Promise((resolve) => setTimeout(resolve, REST_MS / 5))]);
      to.off("error", gone);
    },
  };
}
