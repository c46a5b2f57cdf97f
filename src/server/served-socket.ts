/**
 * One WebSocket and the net.Socket under it, as the rest of this room needs them: a connection that a drain ends, and a
 * socket that the pump writes whole frames to, beside what `ws` writes itself. One small object, since there are many.
 *
 * Only for a `ws` without compression: it then hands each frame to the socket in one go, so that whole frames of ours can
 * stand between its own.
 */
import type { Socket } from "node:net";
import { type Server, WebSocket } from "ws";
import { CLOSE } from "./close-codes.ts";
import type { OpenConnection } from "./connections.ts";
import type { PumpedSocket } from "./pump/pump.ts";

const RECONNECT_NOTICE = JSON.stringify({ id: null, method: "reconnect" });

/** Says when a close begins, whoever began it: from then on nothing may be written beside `ws`. */
export class ClosingSocket extends WebSocket {
  onClosing?: (() => void) | undefined;

  override close(code?: number, reason?: string | Buffer): void {
    super.close(code, reason);
    this.onClosing?.();
  }

  override terminate(): void {
    super.terminate();
    this.onClosing?.();
  }
}

export type ServedSocketServer = Server<typeof ClosingSocket>;

export class ServedSocket implements OpenConnection, PumpedSocket {
  // What the pump looks at stands first: with thousands of sockets each line of memory counts.
  readonly socket: Socket;
  /** How many are pumped into it: several scopes of one turn leave in one write. */
  subscriptions = 0;
  #isCorked = false;
  readonly kind = "socket";
  readonly ws: ClosingSocket;
  readonly address: string | undefined;
  identified = false;
  /** The one that runs while it is not known who this is. */
  timer: NodeJS.Timeout | undefined;
  #waiting: readonly (() => void)[] | undefined;

  constructor(ws: ClosingSocket, socket: Socket) {
    this.ws = ws;
    this.socket = socket;
    this.address = socket.remoteAddress;
  }

  /** False when the socket is gone or ends. A subscription is over when a close begins, so nothing follows a close frame. */
  get isOpen(): boolean {
    return this.socket.writable;
  }

  /** Bytes that wait for the peer, for which a `drain` will come. */
  get waitingBytes(): number {
    return this.socket.writableNeedDrain ? this.socket.writableLength : 0;
  }

  /** A frame that `ws` makes. */
  send(text: string): void {
    if (this.ws.readyState === WebSocket.OPEN) this.ws.send(text);
  }

  write(frames: Buffer): void {
    if (this.subscriptions > 1 && !this.#isCorked) {
      this.#isCorked = true;
      this.socket.cork();
      setImmediate(uncork, this);
    }
    this.socket.write(frames);
  }

  /** For more than one buffer: they leave in one write too. */
  writeAll(frames: readonly Buffer[]): void {
    this.socket.cork();
    for (const frame of frames) this.write(frame);
    this.socket.uncork();
  }

  uncork(): void {
    this.#isCorked = false;
    this.socket.uncork();
  }

  onDrain(drained: () => void): void {
    if (this.#waiting === undefined) this.socket.once("drain", () => this.#drained());
    this.#waiting = [...(this.#waiting ?? []), drained];
  }

  #drained(): void {
    const waiting = this.#waiting ?? [];
    this.#waiting = undefined;
    for (const drained of waiting) drained();
  }

  buffered(): number {
    return this.ws.bufferedAmount;
  }

  stalled(): boolean {
    return this.#waiting !== undefined && this.ws.readyState === WebSocket.OPEN;
  }

  notify(): void {
    this.send(RECONNECT_NOTICE);
  }

  close(): void {
    this.ws.close(CLOSE.goingAway, "Server shutting down");
  }

  terminate(): void {
    this.ws.terminate();
  }
}

function uncork(socket: ServedSocket): void {
  socket.uncork();
}
