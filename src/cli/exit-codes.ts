/** What an exit code says, and the failure that carries one. A code is never given a second meaning. */
import { SnapwireError } from "../protocol/errors.ts";

export const EXIT = {
  ok: 0,
  failure: 1,
  /** The command line, the environment or the configuration file is wrong. */
  usage: 2,
  cannotConnect: 3,
  /** The server is there and refuses. */
  denied: 4,
  interrupted: 130,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** Ends a command. The message is for a person: what was wrong, and what to do. */
export class CliFailure extends Error {
  override readonly name = "CliFailure";
  readonly exitCode: ExitCode;

  constructor(exitCode: ExitCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.exitCode = exitCode;
  }
}

export function usageFailure(message: string): CliFailure {
  return new CliFailure(EXIT.usage, message);
}

export interface Failure {
  readonly exitCode: ExitCode;
  readonly message: string;
  /** What was thrown, when it is a fault of ours: then where it was thrown matters. */
  readonly fault?: unknown;
}

/** Whatever was thrown, as a line and a code. */
export function failureOf(error: unknown): Failure {
  if (error instanceof CliFailure) return { exitCode: error.exitCode, message: error.message };
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof SnapwireError) return { exitCode: EXIT.failure, message };
  return {
    exitCode: EXIT.failure,
    message: `something went wrong that should not: ${message}`,
    fault: error,
  };
}
