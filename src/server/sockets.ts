/** A WebSocket from its 101 to its end: guarded at once, identified, then handed to tRPC. */
import type { IncomingMessage } from "node:http";
import type { AnyRouter } from "@trpc/server";
import { getWSConnectionHandler } from "@trpc/server/adapters/ws";
import { WebSocket, type WebSocketServer } from "ws";
import type { Logger } from "../log.ts";
import type { ConnectionParams } from "./auth.ts";
import { CLOSE } from "./close-codes.ts";
import type { Connections, OpenConnection } from "./connections.ts";
import { createErrorFrame, type ErrorWords } from "./error-frame.ts";
import { GuardedSocket, type GuardRules } from "./guarded-socket.ts";
import type { Heartbeat } from "./heartbeat.ts";
import type { BuildContext } from "./host-context.ts";
import type { Limits } from "./limits.ts";
import { readConnectionParams } from "./messages.ts";
import type { OnProcedureError } from "./procedure-errors.ts";
import { pulseOf } from "./pulse.ts";
import { type Pumps, Tickets } from "./pump/handoff.ts";
import { pumpedSocket, type SharedPumpedSocket } from "./pump/pumped-socket.ts";

export interface SocketsOptions {
  readonly router: AnyRouter;
  readonly wss: WebSocketServer;
  readonly limits: Limits;
  readonly logger: Logger;
  readonly connections: Connections;
  readonly heartbeat: Heartbeat;
  readonly buildContext: BuildContext;
  readonly onProcedureError: OnProcedureError;
  readonly pumps: Pumps;
}

/** Called in the turn of the 101. `hasParams`: the URL says that the first frame holds connection parameters. */
export type AcceptSocket = (ws: WebSocket, request: IncomingMessage, hasParams: boolean) => void;

/** A client that is told to try again is told so late enough not to spin: many come back at once. */
const RETRY_PAUSE_MS = 1_000;
const RECONNECT_NOTICE = JSON.stringify({ id: null, method: "reconnect" });

export function createSockets(options: SocketsOptions): AcceptSocket {
  const { router, wss, limits, logger, connections, heartbeat, buildContext, pumps } = options;
  const transformer = router._def._config.transformer;
  const rules: GuardRules = {
    limits,
    logger,
    errorFrame: createErrorFrame(router),
    deserialize: (input) => transformer.input.deserialize(input),
  };
  /** Contexts on their way into tRPC, which asks for them with the socket in hand. */
  const contexts = new WeakMap<object, object>();
  const handToTrpc = getWSConnectionHandler({
    wss,
    router,
    createContext: ({ res }: { res: object }) => contexts.get(res),
    onError: options.onProcedureError,
  });

  return (ws, request, hasParams) => {
    const pumped = pumpedSocket(ws, request.socket);
    const connection = socketConnection(ws, request, pumped);
    const timers = createTimers();
    const tickets = new Tickets(pumps, pumped);
    const intercept = (frame: string): boolean => tickets.take(frame);
    const guard = new GuardedSocket(ws, request.socket, rules, hasParams ? takeParams : undefined, intercept);
    const forget = connections.add(connection);
    const leaveHeartbeat = heartbeat.add(pulseOf(ws, request.socket));
    ws.once("close", (code) => {
      timers.clear();
      leaveHeartbeat();
      forget();
      logger.debug({ code, address: connection.address }, "socket closed");
    });
    if (hasParams)
      timers.start(limits.connectionParamsMs, () =>
        ws.close(CLOSE.paramsTimeout, "No connection parameters came"),
      );
    else identify(null);

    function takeParams(frame: Buffer): void {
      timers.clear();
      const params = readConnectionParams(frame.toString());
      if (params !== undefined) {
        identify(params, frame);
        return;
      }
      const words: ErrorWords = {
        code: "PARSE_ERROR",
        message: "The first frame must hold connectionParams.",
      };
      ws.send(rules.errorFrame(null, words)); // newer clients back off when they are told before the close
      ws.close(CLOSE.badParams, "Malformed connection parameters");
    }

    function identify(params: ConnectionParams, paramsFrame?: Buffer): void {
      admit(params, paramsFrame).catch((error: unknown) => {
        logger.error({ err: error }, "a socket could not be handed to tRPC");
        ws.close(CLOSE.internal, "Internal error");
      });
    }

    async function admit(params: ConnectionParams, paramsFrame: Buffer | undefined): Promise<void> {
      const handOff = tickets.handOff.bind(tickets);
      const outcome = await buildContext(request, ws, params, handOff);
      if (ws.readyState !== WebSocket.OPEN) return;
      switch (outcome.kind) {
        case "built":
          connection.identified = outcome.identified;
          contexts.set(guard, outcome.context);
          handToTrpc(guard as unknown as WebSocket, request); // has all of a WebSocket that the handler uses
          guard.letThrough(paramsFrame);
          return;
        case "refused":
          guard.refuseAll(outcome.words);
          return;
        case "unavailable":
          timers.start(RETRY_PAUSE_MS, () => ws.close(CLOSE.tryAgainLater, "Try again later"));
          return;
      }
    }
  };
}

function socketConnection(
  ws: WebSocket,
  request: IncomingMessage,
  pumped: SharedPumpedSocket,
): OpenConnection {
  return {
    kind: "socket",
    address: request.socket.remoteAddress,
    identified: false,
    buffered: () => ws.bufferedAmount,
    stalled: () => pumped.isStalled,
    notify: () => {
      if (ws.readyState === WebSocket.OPEN) ws.send(RECONNECT_NOTICE);
    },
    close: () => ws.close(CLOSE.goingAway, "Server shutting down"),
    terminate: () => ws.terminate(),
  };
}

/** At most one timer, which does not hold the process. */
function createTimers() {
  let timer: NodeJS.Timeout | undefined;
  const clear = (): void => clearTimeout(timer);
  return {
    start(ms: number, run: () => void): void {
      clear();
      timer = setTimeout(run, ms);
      timer.unref();
    },
    clear,
  };
}
