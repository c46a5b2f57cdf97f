/** The world as a command sees it. Only `main.ts` touches the real one. */
import type { Writable } from "node:stream";

export interface CliOutput extends Pick<Writable, "write" | "on" | "off"> {
  /** Of a terminal, in cells; it changes, and `resize` says so. */
  readonly columns?: number;
  readonly rows?: number;
}

export interface CliIo {
  /** People's lines, or the data that was asked for. */
  readonly stdout: CliOutput;
  /** Log lines and refusals. */
  readonly stderr: CliOutput;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Absolute. */
  readonly cwd: string;
  /** Whether stdout is a terminal. */
  readonly isTTY: boolean;
  /** Whether stderr is a terminal. */
  readonly isStderrTTY: boolean;
  /** Aborted when the process is asked to end; the reason is the signal's name. */
  readonly signal: AbortSignal;
}

export function say(stream: CliOutput, line = ""): void {
  stream.write(`${line}\n`);
}

/** Resolves when the signal is aborted. */
export function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
