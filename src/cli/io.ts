/** The world as a command sees it. Only `main.ts` touches the real one. */
import type { Writable } from "node:stream";

export interface CliOutput extends Pick<Writable, "write" | "on" | "once" | "off"> {
  /** Of a terminal, in cells; it changes, and `resize` says so. */
  readonly columns?: number;
  readonly rows?: number;
}

export interface CliIo {
  /** People's lines, or the data that was asked for. */
  readonly stdout: CliOutput;
  /** Log lines and refusals. */
  readonly stderr: CliOutput;
  /** Undefined: there is none, and nobody can be asked. */
  readonly stdin?: (NodeJS.ReadableStream & { readonly isTTY?: boolean }) | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Absolute. */
  readonly cwd: string;
  /** Whether stdout is a terminal. */
  readonly isTTY: boolean;
  /** Whether stderr is a terminal. */
  readonly isStderrTTY: boolean;
  /** Aborted when the process is asked to end; the reason is the signal's name. */
  readonly signal: AbortSignal;
  /** Takes all signals over from `signal`, for a command that passes them on. @returns how to give them back */
  readonly takeSignals?: (listener: (name: NodeJS.Signals) => void) => () => void;
  /** Ends this process as a signal would, once everything is written: what comes after sees how it ended. */
  readonly dieBy?: (name: NodeJS.Signals) => void;
}

export function say(stream: CliOutput, line = ""): void {
  stream.write(`${line}\n`);
}

/** Resolves when the signal is aborted. For what waits once: it stays on the signal until then. */
export function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

/**
 * What the work answers, or `undefined` when the signal is aborted first. However often it is asked, nothing of it stays
 * on a signal that outlives the work.
 */
export async function unlessAborted<T>(signal: AbortSignal, work: Promise<T>): Promise<T | undefined> {
  let stop = (): void => undefined;
  const ended = new Promise<undefined>((resolve) => {
    stop = () => resolve(undefined);
  });
  if (signal.aborted) stop();
  signal.addEventListener("abort", stop);
  try {
    return await Promise.race([work, ended]);
  } finally {
    signal.removeEventListener("abort", stop);
  }
}
