/** A WebSocket from its 101 to its end: guarded at once, identified, then served. */
import type { IncomingMessage } from "node:http";
import type { AnyRouter } from "@trpc/server";
import { getWSConnectionHandler } from "@trpc/server/adapters/ws";
import { WebSocket } from "ws";
import type { Logger } from "../log.ts";
import { isDrivable } from "../router/driven.ts";
import type { ConnectionParams } from "./auth.ts";
import { CLOSE } from "./close-codes.ts";
import type { Connections } from "./connections.ts";
import { createErrorFrame, type ErrorWords } from "./error-frame.ts";
import { GuardedSocket, type GuardRules } from "./guarded-socket.ts";
import type { Heartbeat } from "./heartbeat.ts";
import type { BuildContext } from "./host-context.ts";
import type { Limits } from "./limits.ts";
import { readConnectionParams } from "./messages.ts";
import type { OnProcedureError } from "./procedure-errors.ts";
import { pulseOf } from "./pulse.ts";
import type { Pumps } from "./pump/pumps.ts";
import { LazyConnection } from "./send-room.ts";
import { type ClosingSocket, ServedSocket, type ServedSocketServer } from "./served-socket.ts";
import type { TrpcSocket } from "./trpc-socket.ts";

export interface SocketsOptions {
  readonly router: AnyRouter;
  readonly wss: ServedSocketServer;
  readonly limits: Limits;
  readonly logger: Logger;
  readonly connections: Connections;
  readonly heartbeat: Heartbeat;
  readonly buildContext: BuildContext;
  readonly onProcedureError: OnProcedureError;
  readonly pumps: Pumps;
}

/** Called in the turn of the 101. `hasParams`: the URL says that the first frame holds connection parameters. */
export type AcceptSocket = (ws: ClosingSocket, request: IncomingMessage, hasParams: boolean) => void;

/** A client that is told to try again is told so late enough not to spin: many come back at once. */
const RETRY_PAUSE_MS = 1_000;
/** tRPC's handler looks for connection parameters in it, which have been read already; our context needs nothing of it. */
const NO_REQUEST = { url: "/", headers: {} } as IncomingMessage;

export function createSockets(options: SocketsOptions): AcceptSocket {
  const { router, wss, limits, logger, connections, heartbeat, buildContext, pumps, onProcedureError } =
    options;
  const { procedures, _config } = router._def;
  const handToTrpc = getWSConnectionHandler({
    wss,
    router,
    createContext: ({ res }: { res: unknown }) => (res as TrpcSocket).context,
    onError: onProcedureError,
  });
  const rules: GuardRules = {
    limits,
    logger,
    errorFrame: createErrorFrame(router),
    deserialize: (input) => _config.transformer.input.deserialize(input),
    isDriven: (path) => {
      const procedure: unknown = Object.hasOwn(procedures, path) ? procedures[path] : undefined;
      return typeof procedure === "function" && isDrivable(procedure);
    },
    driven: { router, pumps, onProcedureError },
    handToTrpc: (socket) => handToTrpc(socket as unknown as WebSocket, NO_REQUEST), // has all that the handler uses
  };

  return (ws, request, hasParams) => {
    const served = new ServedSocket(ws, request.socket);
    const forget = connections.add(served);
    const leaveHeartbeat = heartbeat.add(pulseOf(ws, request.socket));
    const guard = admission(served, request, hasParams);
    ws.onClosing = () => guard.closing();
    ws.on("close", (code) => {
      clearTimeout(served.timer);
      leaveHeartbeat();
      forget();
      guard.closed();
      logger.debug({ code, address: served.address }, "socket closed");
    });
  };

  /** Apart from what lives as long as the socket: what this closes over, the request above all, goes when it is done. */
  function admission(served: ServedSocket, request: IncomingMessage, hasParams: boolean): GuardedSocket {
    const { ws } = served;
    const guard = new GuardedSocket(served, rules, hasParams ? takeParams : undefined);
    if (hasParams)
      startTimer(limits.connectionParamsMs, () =>
        ws.close(CLOSE.paramsTimeout, "No connection parameters came"),
      );
    else identify(null);
    return guard;

    function startTimer(ms: number, run: () => void): void {
      served.timer = setTimeout(run, ms).unref();
    }

    function takeParams(frame: Buffer): void {
      clearTimeout(served.timer);
      served.timer = undefined;
      const params = readConnectionParams(frame.toString());
      if (params !== undefined) {
        identify(params);
        return;
      }
      const words: ErrorWords = {
        code: "PARSE_ERROR",
        message: "The first frame must hold connectionParams.",
      };
      ws.send(rules.errorFrame(null, words)); // newer clients back off when they are told before the close
      ws.close(CLOSE.badParams, "Malformed connection parameters");
    }

    function identify(params: ConnectionParams): void {
      admit(params).catch((error: unknown) => {
        logger.error({ err: error }, "a socket could not be handed to tRPC");
        ws.close(CLOSE.internal, "Internal error");
      });
    }

    async function admit(params: ConnectionParams): Promise<void> {
      const connection = new LazyConnection(ws, served.socket, limits.highWaterBytes);
      const outcome = await buildContext(request, ws, params, connection);
      if (ws.readyState !== WebSocket.OPEN) return;
      switch (outcome.kind) {
        case "built":
          served.identified = outcome.identified;
          guard.letThrough(outcome.context);
          return;
        case "refused":
          guard.refuseAll(outcome.words);
          return;
        case "unavailable":
          startTimer(RETRY_PAUSE_MS, () => ws.close(CLOSE.tryAgainLater, "Try again later"));
          return;
      }
    }
  }
}
