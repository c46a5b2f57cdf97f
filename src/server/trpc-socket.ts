/**
 * The socket as tRPC's handler sees it: what it gets has been judged, what it sends is looked at for the end of a
 * subscription. Made when a message comes that is tRPC's to answer; a socket that only watches never needs it.
 */
import { EventEmitter } from "node:events";
import type { ServedSocket } from "./served-socket.ts";
import type { SubscriptionCount } from "./subscription-count.ts";

interface TrpcSocketEvents {
  message: [data: Buffer, isBinary: boolean];
  close: [];
  error: [error: Error];
}

export class TrpcSocket extends EventEmitter<TrpcSocketEvents> {
  /** Of the router; asked for with the socket in hand. */
  readonly context: object;
  readonly #served: ServedSocket;
  readonly #subscriptions: SubscriptionCount;

  constructor(served: ServedSocket, subscriptions: SubscriptionCount, context: object) {
    super();
    this.context = context;
    this.#served = served;
    this.#subscriptions = subscriptions;
  }

  get readyState(): number {
    return this.#served.ws.readyState;
  }

  send(frame: string): void {
    this.#subscriptions.sent(frame);
    this.#served.send(frame);
  }

  close(code?: number, reason?: string): void {
    this.#served.ws.close(code, reason);
  }
}
