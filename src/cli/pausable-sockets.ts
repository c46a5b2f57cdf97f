/**
 * WebSockets that can be held back. Whoever reads our output may be slower than the changes; if we went on reading, all of
 * them would wait in our memory. So we stop reading, the server notices that there is no room, and keeps nothing for us
 * but a cursor: when it goes on, each workspace that changed comes once, as it is then.
 */
import { WebSocket } from "ws";
import type { WebSocketClass } from "../../client/index.ts";

export interface PausableSockets {
  /** For a client. */
  readonly WebSocket: WebSocketClass;
  /** All of them, and those that are opened later. Idempotent. */
  pause(): void;
  resume(): void;
  readonly paused: boolean;
}

export function createPausableSockets(): PausableSockets {
  const open = new Set<WebSocket>();
  let paused = false;

  class PausableSocket extends WebSocket {
    constructor(url: string) {
      super(url);
      this.on("open", () => {
        open.add(this);
        if (paused) this.pause();
      });
      this.on("close", () => open.delete(this));
    }
  }

  return {
    WebSocket: PausableSocket as unknown as WebSocketClass,
    pause() {
      paused = true;
      for (const socket of open) socket.pause();
    },
    resume() {
      paused = false;
      for (const socket of open) socket.resume();
    },
    get paused() {
      return paused;
    },
  };
}
