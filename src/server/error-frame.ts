/** Typed errors in the shape that the router's own errors have, for what never reaches a procedure. */
import { type AnyRouter, getErrorShape, TRPCError, transformTRPCResponse } from "@trpc/server";
import type { TRPC_ERROR_CODE_KEY } from "@trpc/server/rpc";
import type { RequestId } from "./messages.ts";

export interface ErrorWords {
  readonly code: TRPC_ERROR_CODE_KEY;
  readonly message: string;
  readonly path?: string | undefined;
}

/** `id` null: an error of the connection, not of one request. */
export type ErrorFrame = (id: RequestId | null, words: ErrorWords) => string;

export function createErrorFrame(router: AnyRouter): ErrorFrame {
  const config = router._def._config;
  return (id, { code, message, path }) => {
    const error = new TRPCError({ code, message });
    try {
      const shape = getErrorShape({ config, error, type: "unknown", path, input: undefined, ctx: undefined });
      return JSON.stringify(transformTRPCResponse(config, { id, error: shape }));
    } catch {
      // The host's formatter or transformer threw: the client is still owed an answer.
      const shape = {
        message: "Internal server error",
        code: -32603,
        data: { code: "INTERNAL_SERVER_ERROR" },
      };
      return JSON.stringify({ id, error: shape });
    }
  };
}
