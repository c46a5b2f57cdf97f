/** A WebSocket as the heartbeat sees it. */
import type { Socket } from "node:net";
import { WebSocket } from "ws";
import type { Beating } from "./heartbeat.ts";

/** @param text - Sent in place of a protocol ping, for clients that know no other. */
export function pulseOf(ws: WebSocket, socket: Socket, text?: string): Beating {
  return {
    ping: () => {
      if (ws.readyState !== WebSocket.OPEN) return;
      if (text === undefined) ws.ping();
      else ws.send(text);
    },
    terminate: () => ws.terminate(),
    received: () => socket.bytesRead,
    waiting: () => socket.writableLength,
    flow: () => socket.bytesWritten - socket.writableLength - unwritten(socket),
  };
}

/**
 * The part of the write in flight that the kernel has not taken yet: what Node's own socket time-out looks at. Without
 * it (it is not public) a large write counts only when it is complete.
 */
function unwritten(socket: Socket): number {
  const handle: unknown = Reflect.get(socket, "_handle");
  if (typeof handle !== "object" || handle === null) return 0;
  const size: unknown = Reflect.get(handle, "writeQueueSize");
  return typeof size === "number" ? size : 0;
}
