/**
 * The socket as tRPC's handler sees it: what it gets has been judged, what it sends is looked at for the end of a
 * request. Made when a message comes that is tRPC's to answer; a socket that only watches never needs it.
 */
import { EventEmitter } from "node:events";
import type { RequestCount } from "./request-count.ts";
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
  readonly #requests: RequestCount;

  constructor(
    served: ServedSocket,
    {
      subscriptions,
      requests,
    }: { readonly subscriptions: SubscriptionCount; readonly requests: RequestCount },
    context: object,
  ) {
    super();
    this.context = context;
    this.#served = served;
    this.#subscriptions = subscriptions;
    this.#requests = requests;
  }

  get readyState(): number {
    return this.#served.ws.readyState;
  }

  send(frame: string): void {
    this.#requests.sent(frame);
    this.#subscriptions.sent(frame);
    this.#served.send(frame);
  }

  close(code?: number, reason?: string): void {
    this.#served.ws.close(code, reason);
  }
}
