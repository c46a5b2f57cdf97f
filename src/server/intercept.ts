/**
 * Takes some of the requests of an HTTP server that belongs to somebody else.
 *
 * Adding one more listener is not enough: Node calls all of them, so the host's own would answer our paths with its 404,
 * and another WebSocket library would cut our upgrades. Replacing its listeners, as is often done, misses those that
 * come later. So the two events are looked at where the server emits them, whatever listens and whenever it came.
 */
import type { Server as HttpServer, IncomingMessage, ServerResponse } from "node:http";
import type { Server as HttpsServer } from "node:https";
import type { Duplex } from "node:stream";
import { NO_SOCKET_HERE, refuseUpgrade } from "./refusal.ts";

export interface Interceptor {
  /** True when it took the request; the host's listeners do not hear of it then. */
  request(request: IncomingMessage, response: ServerResponse): boolean;
  /** True when it took the upgrade. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): boolean;
}

/**
 * Node hands out upgrades only while somebody listens, and a socket that nobody answers would stay for ever. So each
 * mount adds this one, and when nothing but it listens, it answers what no mount took.
 */
function lastResort(this: HttpServer | HttpsServer, _request: IncomingMessage, socket: Duplex): void {
  if (socket.writableEnded || this.listeners("upgrade").some((listener) => listener !== lastResort)) return;
  socket.on("error", () => undefined);
  refuseUpgrade(socket, NO_SOCKET_HERE);
}

/** Returns what ends it. */
export function intercept(server: HttpServer | HttpsServer, interceptor: Interceptor): () => void {
  const emit = server.emit;
  let active = true;
  const wasOwn = Object.hasOwn(server, "emit");

  const patched: typeof server.emit = (event: string | symbol, ...args: unknown[]) => {
    if (active && event === "request") {
      const [request, response] = args as [IncomingMessage, ServerResponse];
      if (interceptor.request(request, response)) return true;
    }
    if (active && event === "upgrade") {
      const [request, socket, head] = args as [IncomingMessage, Duplex, Buffer];
      if (interceptor.upgrade(request, socket, head)) return true;
    }
    return Reflect.apply(emit, server, [event, ...args]);
  };

  server.emit = patched;
  server.on("upgrade", lastResort);
  return () => {
    active = false;
    server.off("upgrade", lastResort);
    if (server.emit !== patched) return; // another one has been put on top: ours lets all pass
    if (wasOwn) server.emit = emit;
    else Reflect.deleteProperty(server, "emit");
  };
}
