/**
 * Subscriptions that a server may drive by itself: it opens them instead of iterating over them, and serves many at once.
 *
 * A procedure is marked, so that a server knows before it calls it; what it answers can then be opened. Whoever knows
 * nothing of this (SSE, a caller, a host's own adapter) iterates over the same answer and gets the same frames.
 */
import type { Feed } from "../feed/feed.ts";
import type { Subscription } from "../feed/subscription.ts";

export interface OpenFeed {
  readonly feed: Feed<unknown, unknown>;
  readonly subscription: Subscription<unknown, unknown>;
  /** Decides how it begins; throws what iterating would throw. */
  begin(): Promise<void>;
  /** Leaves the feed; nothing is held any more. May be called again. */
  close(): void;
}

type Open = () => Promise<OpenFeed>;

const procedures = new WeakSet<object>();
const opens = new WeakMap<object, Open>();

/** Says that what these procedures answer can be opened. */
export function drivable(...answering: readonly object[]): void {
  for (const procedure of answering) procedures.add(procedure);
}

export const isDrivable = (procedure: object): boolean => procedures.has(procedure);

/** Says how to open what this iterable would say; then nobody iterates over it. */
export function openedBy<Iterable extends object>(iterable: Iterable, open: Open): Iterable {
  opens.set(iterable, open);
  return iterable;
}

/** `undefined`: it can only be iterated over. A middleware of the host's may have put something else in its place. */
export const openerOf = (iterable: object): Open | undefined => opens.get(iterable);
