/** Which WebSocket to use: the one that was given, the runtime's own, or that of the `ws` package in Node. */
import { SnapwireError } from "../src/protocol/errors.ts";

/** The standard `WebSocket` class, or one that behaves like it, such as that of `ws`. */
export type WebSocketClass = new (url: string) => RawSocket;

/** What is used of a socket. */
export interface RawSocket {
  binaryType: string;
  send(data: string): void;
  close(code?: number, reason?: string): void;
  /** `ws` only: ends without the closing handshake. */
  terminate?(): void;
  addEventListener(
    type: "open" | "message" | "error" | "close",
    listener: (event: RawSocketEvent) => void,
  ): void;
}

/** What is read of an event, whatever it is of. */
export interface RawSocketEvent {
  readonly type: string;
  readonly data?: unknown;
  readonly code?: unknown;
  readonly reason?: unknown;
  readonly message?: unknown;
}

/** @throws {@link SnapwireError} `invalid-input` when the runtime has none. */
export function findWebSocket(given?: WebSocketClass): WebSocketClass {
  if (given) return given;
  if (typeof WebSocket === "function") return WebSocket;
  return fromNode();
}

/** `require` is made at run time, so that a bundler for browsers sees no import of a package for Node. */
function fromNode(): WebSocketClass {
  try {
    const require = process.getBuiltinModule("module").createRequire(import.meta.url);
    return require("ws") as WebSocketClass;
  } catch (cause) {
    throw new SnapwireError(
      "invalid-input",
      "this runtime has no WebSocket: install the `ws` package, or pass a class as the option `WebSocket`",
      { cause },
    );
  }
}
