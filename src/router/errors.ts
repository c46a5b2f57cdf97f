/** Stable reasons inside, TRPCError at the edge. */
import { TRPCError } from "@trpc/server";
import { SnapwireError, type SnapwireErrorReason } from "../protocol/errors.ts";

/** A Record over the union: a new reason does not compile until it has a code. */
const CODE_OF: Readonly<Record<SnapwireErrorReason, TRPCError["code"]>> = {
  "invalid-input": "BAD_REQUEST",
  "project-required": "BAD_REQUEST",
  "other-project": "CONFLICT",
  "derived-field": "BAD_REQUEST",
  conflict: "CONFLICT",
  "outcome-unknown": "GATEWAY_TIMEOUT",
  unavailable: "SERVICE_UNAVAILABLE",
  behind: "SERVICE_UNAVAILABLE",
  "unknown-workspace": "NOT_FOUND",
  "workspace-required": "BAD_REQUEST",
  "backward-lifecycle": "CONFLICT",
  "unknown-stream": "NOT_FOUND",
  "stream-archived": "CONFLICT",
  "too-many": "TOO_MANY_REQUESTS",
  "invalid-device-id": "BAD_REQUEST",
  "duplicate-connection": "CONFLICT",
  "queue-full": "TOO_MANY_REQUESTS",
  "too-many-devices": "TOO_MANY_REQUESTS",
  "unknown-message": "NOT_FOUND",
};

/** The typed error for a caller. What is not ours says no more than "internal error". */
export function toTRPCError(error: unknown): TRPCError {
  if (error instanceof TRPCError) return error;
  // A host may run on another copy of @trpc/server; its router knows its own by the name too.
  if (error instanceof Error && error.name === "TRPCError") return error as TRPCError;
  if (error instanceof SnapwireError) {
    return new TRPCError({ code: CODE_OF[error.reason], message: error.message, cause: error });
  }
  return new TRPCError({ code: "INTERNAL_SERVER_ERROR", message: "internal error", cause: error });
}

/** The stable reason of an error, for an `errorFormatter` to put into `data`: `data: { ...shape.data, reason: reasonOf(error) }`. */
export function reasonOf(error: { readonly cause?: unknown }): SnapwireErrorReason | undefined {
  return error.cause instanceof SnapwireError ? error.cause.reason : undefined;
}

/** Runs an operation and turns what it throws into a typed error. */
export async function answering<T>(operation: () => Promise<T> | T): Promise<T> {
  try {
    return await operation();
  } catch (error) {
    throw toTRPCError(error);
  }
}
