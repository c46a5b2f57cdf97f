/** From the request of a plain endpoint to its socket: who it is comes before the 101, so that a refusal is a status. */
import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { type WebSocket, WebSocketServer } from "ws";
import type { Logger } from "../../log.ts";
import { CLOSE } from "../close-codes.ts";
import type { Connections, OpenConnection } from "../connections.ts";
import { createHeartbeat, type Heartbeat } from "../heartbeat.ts";
import type { Identify } from "../identify.ts";
import type { Limits } from "../limits.ts";
import { pulseOf } from "../pulse.ts";
import { type Refusal, refuseUpgrade } from "../refusal.ts";
import type { Target } from "../target.ts";
import type { PlainEndpoints, PlainSocketEndpoint } from "./endpoint.ts";
import { plainSocket } from "./plain-socket.ts";

export interface PlainUpgradesOptions {
  readonly plain: PlainEndpoints;
  readonly identify: Identify;
  readonly connections: Connections;
  readonly limits: Limits;
  readonly logger: Logger;
}

export interface PlainUpgrades {
  serves(path: string): boolean;
  /**
   * After the checks that hold for every upgrade; an `error` listener is on the socket.
   * @param crowded - Those of them that may come out otherwise once it is known who this is.
   */
  handle(
    request: IncomingMessage,
    socket: Duplex,
    head: Buffer,
    target: Target,
    crowded: () => Refusal | undefined,
  ): void;
  close(): void;
}

/** Upgrades that wait for an answer to who they are, over all addresses. */
const MAX_WAITING = 1_000;

const UNKNOWN: Refusal = {
  status: 401,
  message: "A token is needed: Authorization: Bearer <token>.",
  headers: { "WWW-Authenticate": "Bearer" },
};
const TRY_AGAIN: Refusal = {
  status: 503,
  message: "It cannot be told now who you are; try again.",
  headers: { "Retry-After": "2" },
};

interface Served {
  readonly endpoint: PlainSocketEndpoint;
  readonly wss: WebSocketServer;
  readonly heartbeat: Heartbeat;
}

export function createPlainUpgrades(options: PlainUpgradesOptions): PlainUpgrades {
  const { plain, identify, connections, limits, logger } = options;
  const served = new Map<string, Served>();
  let waiting = 0;
  for (const [path, endpoint] of plain.sockets) {
    const wss = new WebSocketServer({
      noServer: true,
      clientTracking: false,
      maxPayload: endpoint.maxPayloadBytes,
      ...{ closeTimeout: limits.closeMs }, // newer than its types
    });
    const heartbeat = createHeartbeat({ ...endpoint.heartbeat, stalledMs: limits.stalledMs });
    served.set(path, { endpoint, wss, heartbeat });
  }

  const refuse = (request: IncomingMessage, socket: Duplex, refusal: Refusal): void => {
    const { status, message } = refusal;
    logger.info({ status, address: request.socket.remoteAddress, reason: message }, "upgrade refused");
    refuseUpgrade(socket, refusal);
  };

  const admit = async (
    { endpoint, wss, heartbeat }: Served,
    request: IncomingMessage,
    socket: Duplex,
    head: Buffer,
    query: URLSearchParams,
    crowded: () => Refusal | undefined,
  ): Promise<void> => {
    const { refusedWith } = endpoint;
    const incomplete = endpoint.refuse(query, null);
    if (incomplete) return refuse(request, socket, incomplete);
    const params = refusedWith ? { token: query.get("token") ?? undefined } : null;
    const context = await identify(request, params, undefined);
    if (socket.destroyed) return undefined;
    if (!context) return refuse(request, socket, TRY_AGAIN);
    const { identity, recheck = () => Promise.resolve(context.identity) } = context;
    if (!identity && !refusedWith) return refuse(request, socket, UNKNOWN);
    const refusal = (identity ? endpoint.refuse(query, identity) : undefined) ?? crowded();
    if (refusal) return refuse(request, socket, refusal);
    return wss.handleUpgrade(request, socket, head, (ws) => {
      if (!identity) {
        ws.on("error", () => undefined);
        ws.close(refusedWith?.code, refusedWith?.reason);
        return;
      }
      const forget = connections.add(openConnection(ws, request, limits.highWaterBytes));
      const leave = heartbeat.add(pulseOf(ws, request.socket, endpoint.heartbeat.text));
      ws.once("close", () => {
        leave();
        forget();
      });
      const { highWaterBytes } = limits;
      endpoint.serve(plainSocket({ ws, request, query, identity, recheck, highWaterBytes, logger }));
    });
  };

  return {
    serves: (path) => served.has(path),
    handle(request, socket, head, { path, query }, crowded) {
      const one = served.get(path);
      if (!one || waiting >= MAX_WAITING) return refuse(request, socket, TRY_AGAIN);
      waiting += 1;
      admit(one, request, socket, head, new URLSearchParams(query), crowded)
        .catch((error: unknown) => {
          logger.error({ err: error }, "an upgrade could not be handled");
          socket.destroy();
        })
        .finally(() => {
          waiting -= 1;
        });
      return undefined;
    },
    close() {
      for (const { wss, heartbeat } of served.values()) {
        heartbeat[Symbol.dispose]();
        wss.close();
      }
      plain.close();
    },
  };
}

function openConnection(ws: WebSocket, request: IncomingMessage, highWaterBytes: number): OpenConnection {
  return {
    kind: "socket",
    address: request.socket.remoteAddress,
    identified: true,
    buffered: () => ws.bufferedAmount,
    stalled: () => ws.bufferedAmount > highWaterBytes,
    notify: () => undefined, // there is no word for "move" on these wires
    close: () => ws.close(CLOSE.goingAway, "Server shutting down"),
    terminate: () => ws.terminate(),
  };
}
