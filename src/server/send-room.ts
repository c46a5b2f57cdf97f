/**
 * Room to send: how a subscription learns whether its connection can take one more frame.
 *
 * tRPC's WebSocket adapter writes whatever a generator yields, however full the socket is. So the generator asks first:
 * claim, yield, release. One claim at a time is out, and none while the buffer is above the high-water mark, so what a
 * connection buffers is that mark and one frame, however many subscriptions share it. Waiting costs one promise and one
 * pair of listeners per connection; nothing polls.
 */
import { type IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { WebSocket } from "ws";
import type { SnapwireConnection } from "../router/context.ts";
import { CLOSE } from "./close-codes.ts";
import { DEFAULT_LIMITS } from "./limits.ts";

/** What is asked of a WebSocket; `ws` has it. */
interface SocketLike {
  readonly bufferedAmount: number;
  readonly readyState: number;
  close(code?: number, reason?: string): void;
}

/** Where bytes wait for a peer. */
interface Outlet {
  /** Emits `drain` when what waited is gone, and `close`. */
  readonly emitter: Duplex | ServerResponse;
  /** True while a `drain` is bound to come. */
  isBackedUp(): boolean;
  waiting(): number;
  isOpen(): boolean;
  end(): void;
}

const OPEN = 1;
const connections = new WeakMap<object, SnapwireConnection>();

/**
 * The connection behind a request, for `createContext` of the WebSocket and Node HTTP adapters, a host's own included:
 * `createContext: ({ req, res }) => ({ connection: connectionOf({ req, res }) })`. The same one each time for the same
 * socket or response. `undefined` for what neither adapter hands out.
 */
export function connectionOf(
  { req, res }: { readonly req: IncomingMessage; readonly res: unknown },
  highWaterBytes: number = DEFAULT_LIMITS.highWaterBytes,
): SnapwireConnection | undefined {
  if (typeof res !== "object" || res === null) return undefined;
  const known = connections.get(res);
  if (known) return known;
  const outlet = outletOf(req, res);
  if (!outlet) return undefined;
  const connection = createConnection(outlet, highWaterBytes);
  connections.set(res, connection);
  return connection;
}

/**
 * The same for a socket of our own: made when somebody asks for it, since a subscription that is pumped never does and
 * there are many.
 */
export class LazyConnection implements SnapwireConnection {
  readonly #socket: Socket;
  readonly #ws: WebSocket;
  readonly #highWaterBytes: number;

  constructor(ws: WebSocket, socket: Socket, highWaterBytes: number) {
    this.#ws = ws;
    this.#socket = socket;
    this.#highWaterBytes = highWaterBytes;
  }

  claim(): Promise<void> | undefined {
    return this.#made().claim();
  }

  release(): void {
    this.#made().release();
  }

  tryElsewhere(): void {
    this.#made().tryElsewhere();
  }

  #made(): SnapwireConnection {
    const known =
      connections.get(this.#ws) ??
      createConnection(socketOutlet(this.#ws, this.#socket), this.#highWaterBytes);
    connections.set(this.#ws, known);
    return known;
  }
}

function outletOf(req: IncomingMessage, res: object): Outlet | undefined {
  if (res instanceof ServerResponse) return responseOutlet(res);
  return isSocketLike(res) ? socketOutlet(res, req.socket) : undefined;
}

function responseOutlet(res: ServerResponse): Outlet {
  return {
    emitter: res,
    isBackedUp: () => res.writableNeedDrain,
    waiting: () => res.writableLength,
    isOpen: () => !res.destroyed && !res.writableEnded,
    end: () => res.destroy(), // not end(): tRPC still writes to it
  };
}

function socketOutlet(ws: SocketLike, socket: Duplex): Outlet {
  return {
    emitter: socket,
    isBackedUp: () => socket.writableNeedDrain,
    waiting: () => ws.bufferedAmount,
    isOpen: () => ws.readyState === OPEN && !socket.destroyed,
    end: () => ws.close(CLOSE.tryAgainLater, "Try another node"),
  };
}

function isSocketLike(res: object): res is SocketLike {
  return "bufferedAmount" in res && "readyState" in res && "close" in res && typeof res.close === "function";
}

function createConnection(outlet: Outlet, highWaterBytes: number): SnapwireConnection {
  let held = false;
  let waiting: { readonly promise: Promise<void>; readonly wake: () => void } | undefined;

  /** Above the mark, and sure to be told when it is not: a wait that nothing ends would be worse than a late frame. */
  const isFull = (): boolean => outlet.waiting() > highWaterBytes && outlet.isBackedUp();

  const wait = (): Promise<void> => {
    if (waiting) return waiting.promise;
    const { emitter } = outlet;
    let resolve: () => void = () => undefined;
    const promise = new Promise<void>((done) => {
      resolve = done;
    });
    const wake = (): void => {
      waiting = undefined;
      emitter.off("drain", wake);
      emitter.off("close", wake);
      resolve();
    };
    waiting = { promise, wake };
    emitter.once("drain", wake);
    emitter.once("close", wake);
    return promise;
  };

  return {
    claim() {
      if (!outlet.isOpen()) return undefined; // what is written goes nowhere; the signal ends the subscription
      if (held || isFull()) return wait();
      held = true;
      return undefined;
    },
    release() {
      held = false;
      if (!isFull()) waiting?.wake();
    },
    tryElsewhere: () => outlet.end(),
  };
}
