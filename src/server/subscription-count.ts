/**
 * Counts the subscriptions of one socket, from both directions of its traffic. One that the client has stopped leaves
 * its place at once, although the server may still be winding it up: a client that replaces a full set of subscriptions
 * is not refused. Those being wound up are bounded by the same number again.
 */
import type { RequestId } from "./messages.ts";

export type Admission = "admitted" | "duplicate" | "full";

/** The start of a frame that ends a request: an error, or `stopped`. Written by `JSON.stringify`, so the order holds. */
const ENDS =
  /^\{"id":("(?:[^"\\]|\\.)*"|[^,"]+)(?:,"jsonrpc":"2\.0")?,"(?:error":|result":\{"type":"stopped")/;

export class SubscriptionCount {
  readonly #cap: number;
  readonly #ids = new Map<RequestId, "live" | "stopping">();
  #live = 0;

  constructor(cap: number) {
    this.#cap = cap;
  }

  get live(): number {
    return this.#live;
  }

  has(id: RequestId): boolean {
    return this.#ids.has(id);
  }

  admit(id: RequestId): Admission {
    if (this.#ids.has(id)) return "duplicate";
    if (this.#live >= this.#cap || this.#ids.size >= 2 * this.#cap) return "full";
    this.#ids.set(id, "live");
    this.#live++;
    return "admitted";
  }

  stop(id: RequestId): void {
    if (this.#ids.get(id) !== "live") return;
    this.#ids.set(id, "stopping");
    this.#live--;
  }

  end(id: RequestId): void {
    this.stop(id);
    this.#ids.delete(id);
  }

  /** Looks at a frame on its way to the client: does it end a subscription? */
  sent(frame: string): void {
    if (this.#ids.size === 0) return;
    const id = ENDS.exec(frame)?.[1];
    if (id === undefined) return;
    this.end(JSON.parse(id) as RequestId);
  }
}
