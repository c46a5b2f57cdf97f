/** The decision before the 101. Everything that a client can get wrong is answered here, by a status and a reason. */
import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import type { Logger } from "../log.ts";
import type { Connections } from "./connections.ts";
import type { OriginGuard } from "./origin.ts";
import type { PlainUpgrades } from "./plain/upgrade.ts";
import { NO_SOCKET_HERE, type Refusal, refuseUpgrade } from "./refusal.ts";
import type { ServedSocketServer } from "./served-socket.ts";
import type { AcceptSocket } from "./sockets.ts";
import { isSocketPath, parseTarget } from "./target.ts";

export interface UpgradeOptions {
  readonly basePath: string;
  readonly wss: ServedSocketServer;
  readonly guard: OriginGuard;
  readonly connections: Connections;
  readonly accept: AcceptSocket;
  /** The endpoints for clients without tRPC. */
  readonly plain: PlainUpgrades | undefined;
  readonly isDraining: () => boolean;
  readonly logger: Logger;
}

export type HandleUpgrade = (request: IncomingMessage, socket: Duplex, head: Buffer) => void;

const TOO_MANY: Refusal = {
  status: 429,
  message: "Too many sockets from this address.",
  headers: { "Retry-After": "30" },
};
const DRAINING: Refusal = {
  status: 503,
  message: "This server is shutting down; connect to another one.",
  headers: { "Retry-After": "2", Connection: "close" },
};

export function createUpgrade(options: UpgradeOptions): HandleUpgrade {
  const { basePath, wss, guard, connections, accept, plain, isDraining, logger } = options;

  const refusalOf = (request: IncomingMessage): Refusal | undefined => {
    const refused = guard.host(request);
    if (refused) return refused;
    const target = parseTarget(request.url);
    if (!target) return { status: 400, message: "The request target is not a path." };
    if (!isSocketPath(target.path, basePath) && !plain?.serves(target.path)) return NO_SOCKET_HERE;
    const foreign = guard.origin(request);
    if (foreign) return foreign;
    return crowded(request);
  };

  const crowded = (request: IncomingMessage): Refusal | undefined => {
    if (isDraining()) return DRAINING;
    return connections.hasRoomFor(request.socket.remoteAddress) ? undefined : TOO_MANY;
  };

  /** One for all: made per socket, it would keep the request for as long as the socket lives. */
  const onError = (error: Error): void => logger.debug({ reason: error.message }, "upgrade socket error");

  return (request, socket, head) => {
    // First of all: Node has taken its own listener off, and an error that nobody hears ends the process.
    socket.on("error", onError);
    try {
      const refusal = refusalOf(request);
      if (refusal) {
        const { status, message } = refusal;
        logger.info({ status, address: request.socket.remoteAddress, reason: message }, "upgrade refused");
        refuseUpgrade(socket, refusal);
        return;
      }
      const target = parseTarget(request.url);
      if (target && plain?.serves(target.path)) {
        plain.handle(request, socket, head, target, () => crowded(request));
        return;
      }
      const hasParams = new URLSearchParams(target?.query).get("connectionParams") === "1";
      wss.handleUpgrade(request, socket, head, (ws) => accept(ws, request, hasParams));
    } catch (error) {
      logger.error({ err: error }, "an upgrade could not be handled");
      socket.destroy();
    }
  };
}
