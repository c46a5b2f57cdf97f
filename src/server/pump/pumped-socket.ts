/** The net.Socket under a WebSocket, as the pump writes to it: whole frames, beside what `ws` writes itself. */
import type { Duplex } from "node:stream";
import { WebSocket } from "ws";
import type { PumpedSocket } from "./pump.ts";

export interface SharedPumpedSocket extends PumpedSocket {
  /** How many are pumped into it: several scopes of one turn leave in one write. */
  subscriptions: number;
  /** Somebody waits for it to drain. */
  readonly isStalled: boolean;
}

/**
 * Only for a `ws` without compression: it then hands each frame to the socket in one go, so that whole frames of ours
 * can stand between its own.
 */
export function pumpedSocket(ws: WebSocket, socket: Duplex): SharedPumpedSocket {
  let isCorked = false;
  let drained: (() => void)[] = [];
  const uncork = (): void => {
    isCorked = false;
    socket.uncork();
  };
  const onDrain = (): void => {
    const waiting = drained;
    drained = [];
    for (const wake of waiting) wake();
  };
  return {
    subscriptions: 0,
    get isStalled() {
      return drained.length > 0 && this.isOpen;
    },
    get isOpen() {
      return ws.readyState === WebSocket.OPEN && !socket.destroyed;
    },
    get waitingBytes() {
      return socket.writableNeedDrain ? socket.writableLength : 0; // below its own mark no `drain` would come
    },
    write(frames) {
      if ((frames.length > 1 || this.subscriptions > 1) && !isCorked) {
        isCorked = true;
        socket.cork();
        if (this.subscriptions > 1) setImmediate(uncork);
      }
      for (const frame of frames) socket.write(frame);
      if (isCorked && this.subscriptions <= 1) uncork();
    },
    onDrain(wake) {
      drained.push(wake);
      if (drained.length === 1) socket.once("drain", onDrain);
    },
  };
}
