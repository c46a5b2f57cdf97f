/**
 * The context of our own router. Building it never throws: a refused identity is a value here, and the middleware turns
 * it into a typed error of the one operation that asked.
 */
import type { Identity } from "./identity.ts";

/**
 * The connection that a subscription writes to, as far as a subscription needs to know it. One frame at a time is
 * handed over: claim, yield, release when resumed. That bounds what a socket buffers to its high-water mark plus one
 * frame, however many subscriptions share it.
 */
export interface SnapwireConnection {
  /** `undefined`: the room is yours until `release`. A promise: wait for it, then claim again. */
  claim(): Promise<void> | undefined;
  release(): void;
  /** Ends the connection so that the client tries another node (1013 on a WebSocket, the end of the response on SSE). */
  tryElsewhere(): void;
}

export interface SnapwireContext {
  readonly identity: Identity | null;
  /** Why `identity` is null. */
  readonly refused?: "missing" | "invalid";
  readonly connection?: SnapwireConnection;
  /** Asks again who this is, for as long as a subscription lives. */
  readonly recheck?: () => Promise<Identity | null>;
  /** Who this is, by an answer that is no older. */
  readonly identityWithin?: (maxAgeMs: number) => Promise<Identity | null>;
}
