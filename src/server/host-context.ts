/** The context that the procedures get: ours, or what the host makes of it. */
import type { IncomingMessage, ServerResponse } from "node:http";
import { TRPCError } from "@trpc/server";
import type { WebSocket } from "ws";
import type { Logger } from "../log.ts";
import type { SnapwireConnection } from "../router/context.ts";
import type { ConnectionParams } from "./auth.ts";
import type { ErrorWords } from "./error-frame.ts";
import type { Identify } from "./identify.ts";
import type { MountOptions } from "./options.ts";
import { connectionOf } from "./send-room.ts";

type ContextOutcome =
  | { readonly kind: "built"; readonly context: object; readonly identified: boolean }
  /** The host's `createContext` threw: each operation gets this error. */
  | { readonly kind: "refused"; readonly words: ErrorWords }
  /** It cannot be told now who this is. */
  | { readonly kind: "unavailable" };

export type BuildContext = (
  request: IncomingMessage,
  response: WebSocket | ServerResponse,
  params: ConnectionParams,
  /** Where it is made already; else it is made from request and response. */
  connection?: SnapwireConnection,
) => Promise<ContextOutcome>;

export function createBuildContext(options: {
  readonly identify: Identify;
  readonly createContext: MountOptions["createContext"];
  readonly highWaterBytes: number;
  readonly logger: Logger;
}): BuildContext {
  const { identify, createContext, highWaterBytes, logger } = options;
  return async (req, res, connectionParams, given) => {
    const connection = given ?? connectionOf({ req, res }, highWaterBytes);
    const snapwire = await identify(req, connectionParams, connection);
    if (!snapwire) return { kind: "unavailable" };
    const identified = snapwire.identity !== null;
    if (!createContext) return { kind: "built", context: snapwire, identified };
    try {
      const context = await createContext({ req, res, connectionParams, snapwire });
      return { kind: "built", context, identified };
    } catch (error) {
      if (error instanceof TRPCError)
        return { kind: "refused", words: { code: error.code, message: error.message } };
      logger.error({ err: error }, "the host's createContext threw");
      return { kind: "refused", words: { code: "INTERNAL_SERVER_ERROR", message: "Internal server error" } };
    }
  };
}
