/** A WebSocket as the heartbeat sees it. */
import type { Socket } from "node:net";
import { WebSocket } from "ws";
import type { Beating } from "./heartbeat.ts";

/** @param text - Sent in place of a protocol ping, for clients that know no other. */
export function pulseOf(ws: WebSocket, socket: Socket, text?: string): Beating {
  return new SocketPulse(ws, socket, text);
}

/** A class: there is one per socket, and five closures would take five times its room. */
class SocketPulse implements Beating {
  readonly #ws: WebSocket;
  readonly #socket: Socket;
  readonly #text: string | undefined;

  constructor(ws: WebSocket, socket: Socket, text: string | undefined) {
    this.#ws = ws;
    this.#socket = socket;
    this.#text = text;
  }

  ping(): void {
    if (this.#ws.readyState !== WebSocket.OPEN) return;
    if (this.#text === undefined) this.#ws.ping();
    else this.#ws.send(this.#text);
  }

  terminate(): void {
    this.#ws.terminate();
  }

  received(): number {
    return this.#socket.bytesRead;
  }

  waiting(): number {
    return this.#socket.writableLength;
  }

  flow(): number {
    const { bytesWritten, writableLength } = this.#socket;
    return bytesWritten - writableLength - unwritten(this.#socket);
  }
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
