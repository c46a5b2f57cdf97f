/** Counts the queries and mutations of one socket that have no answer yet. */
import type { RequestId } from "./messages.ts";

/** The start of each frame that answers something. Written by `JSON.stringify`, so the order holds. */
const ANSWERS = /^\{"id":("(?:[^"\\]|\\.)*"|[^,"]+)[,}]/;

export class RequestCount {
  readonly #cap: number;
  /** Clients number their requests, but nothing keeps one from using an id twice. */
  readonly #ids = new Map<RequestId, number>();
  #size = 0;

  constructor(cap: number) {
    this.#cap = cap;
  }

  has(id: RequestId): boolean {
    return this.#ids.has(id);
  }

  admit(id: RequestId): boolean {
    if (this.#size >= this.#cap) return false;
    this.#ids.set(id, (this.#ids.get(id) ?? 0) + 1);
    this.#size++;
    return true;
  }

  /** Looks at a frame on its way to the client: does it answer a request? */
  sent(frame: string): void {
    if (this.#size === 0) return;
    const text = ANSWERS.exec(frame)?.[1];
    if (text === undefined) return;
    const id = JSON.parse(text) as RequestId;
    const count = this.#ids.get(id);
    if (count === undefined) return;
    this.#size--;
    if (count === 1) this.#ids.delete(id);
    else this.#ids.set(id, count - 1);
  }
}
