/**
 * The pump: how a change reaches many WebSockets at the price of a socket write.
 *
 * Need: tRPC's loop costs an iterator result, a promise race, an envelope, a transformer run and a string per subscriber
 * and change. Obvious answer: cache the encoded frame. It fails since the loop itself is the cost. So a subscription
 * runs through tRPC for input, rights, errors and `started`, then leaves its loop: its generator parks, and the pump,
 * one per scope, writes ready frames to (socket, request id, cursor) until it ends.
 *
 * A pass over the subscribers works in slices and lets the event loop breathe between them. A change that arrives
 * meanwhile rides in the same write of those not served yet, so throughput rises under load while lag does not. A
 * socket above its high-water mark is passed over and its cursor stays; `drain` brings it back, with each changed key once.
 *
 * It stands on: the wire format of tRPC's subscriptions (`handoff.ts` says how it learns a request id), RFC 6455 for
 * frames, `net.Socket.write` beside a `ws` without compression, which writes whole frames in order. The plain iterable
 * (`src/feed/iterate.ts`) stays the reference: a test holds the two equal, byte by byte.
 */

import type { Feed, FeedDriver } from "../../feed/feed.ts";
import type { Batch, ScopeState, Subscription } from "../../feed/subscription.ts";
import { type FrameEncoder, textFrames } from "./encoded.ts";
import type { LagHistogram } from "./lag.ts";

/** The socket that a subscription is pumped into. */
export interface PumpedSocket {
  /** False once a close has begun: nothing may follow a close frame. */
  readonly isOpen: boolean;
  /** Bytes that wait for the peer. */
  readonly waitingBytes: number;
  /** All of it in one write. */
  write(frames: readonly Buffer[]): void;
  /** Calls once when what waited is gone, or the socket is. */
  onDrain(drained: () => void): void;
}

export interface PumpLimits {
  /** Bytes that may wait in a socket; a frame that is larger than this goes alone. */
  readonly highWaterBytes: number;
}

export interface PumpStats {
  /** Bytes written. */
  bytes: number;
  /** Writes: one per socket and turn, however many changes. */
  writes: number;
  /** From the last change of the scope to the write. */
  readonly lag: LagHistogram;
}

interface Pumped {
  readonly subscription: Subscription<unknown, unknown>;
  readonly socket: PumpedSocket;
  /** What tRPC writes in front of a result of this request: `{"id":7,"result":`. */
  readonly prefix: Buffer;
  /** The same as a key. */
  readonly id: string;
  readonly ended: () => void;
  /** Above the mark: not looked at until drained. */
  stalled: boolean;
  isUrgent: boolean;
  at: number;
}

interface ReadyBatch {
  readonly batch: Batch<unknown, unknown>;
  readonly bodies: readonly Buffer[];
  readonly bytes: number;
  /** As WebSocket frames, by request id. */
  readonly ready: Map<string, Buffer>;
}

const SOCKETS_PER_SLICE = 256;
const SLICE_MS = 3;
/** Request ids for which a ready frame is kept. */
const READY_IDS = 64;
/** Batches that are kept while a pass runs: most subscribers stand at the same few cursors. */
const READY_BATCHES = 64;
/** A batch grows up to this, in bytes: the mark holds with more than one of them waiting. */
const BATCH_BYTES = 128 * 1024;

/** One scope of one feed. */
export class Pump implements FeedDriver {
  readonly #feed: Feed<unknown, unknown>;
  readonly #scope: string;
  readonly #encoder: FrameEncoder;
  readonly #limits: PumpLimits;
  readonly #stats: PumpStats;
  readonly #onEmpty: () => void;
  readonly #pumped: Pumped[] = [];
  /** Those who have something to hear besides a change: new ones, drained ones, ended ones. */
  #urgent: Pumped[] = [];
  #next = 0;
  /** How many of the circle have not been looked at since the last change. */
  #remaining = 0;
  #isScheduled = false;
  readonly #batches = new Map<number, ReadyBatch | undefined>();
  #batchesOf: unknown;
  #batchesAt = -1;
  /** When the last change was committed, and how many deliveries of this slice carried it; milliseconds. */
  #changedAt = 0;
  #deliveredInSlice = 0;

  constructor(options: {
    feed: Feed<unknown, unknown>;
    scope: string;
    encoder: FrameEncoder;
    limits: PumpLimits;
    stats: PumpStats;
    onEmpty: () => void;
  }) {
    this.#feed = options.feed;
    this.#scope = options.scope;
    this.#encoder = options.encoder;
    this.#limits = options.limits;
    this.#stats = options.stats;
    this.#onEmpty = options.onEmpty;
  }

  get size(): number {
    return this.#pumped.length;
  }

  /** Takes a subscription over, until it is closed. Its first frame is written in this turn when there is room. */
  add(
    subscription: Subscription<unknown, unknown>,
    socket: PumpedSocket,
    prefix: string,
    ended: () => void,
  ): void {
    if (subscription.closed) {
      ended();
      return;
    }
    const pumped: Pumped = {
      subscription,
      socket,
      prefix: Buffer.from(prefix),
      id: prefix,
      ended,
      stalled: false,
      isUrgent: false,
      at: this.#pumped.length,
    };
    this.#pumped.push(pumped);
    if (this.#remaining > 0) this.#remaining += 1; // the circle has grown: nobody in it may be missed
    this.#feed.drive(subscription, this);
    subscription.onWake = () => {
      if (subscription.closed) this.#remove(pumped);
      else this.#hurry(pumped);
    };
    this.#serve(pumped, this.#feed.look(this.#scope));
  }

  /** A change was committed in the scope: everybody is looked at once more. */
  wake(): void {
    if (this.#remaining === 0) this.#changedAt = performance.now();
    this.#remaining = this.#pumped.length;
    this.#schedule();
  }

  #hurry(pumped: Pumped): void {
    if (pumped.isUrgent) return;
    pumped.isUrgent = true;
    this.#urgent.push(pumped);
    this.#schedule();
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      this.#slice();
    });
  }

  #slice(): void {
    const scope = this.#feed.look(this.#scope);
    const urgent = this.#urgent;
    this.#urgent = [];
    for (const pumped of urgent) {
      pumped.isUrgent = false;
      if (!pumped.subscription.closed) this.#serve(pumped, scope);
    }
    const until = performance.now() + SLICE_MS;
    for (let served = 1; this.#remaining > 0; served += 1) {
      this.#remaining -= 1;
      const pumped = this.#pumped[this.#next % this.#pumped.length];
      if (!pumped) break;
      this.#next = (pumped.at + 1) % this.#pumped.length;
      if (!pumped.stalled) this.#serve(pumped, scope);
      if (served % SOCKETS_PER_SLICE === 0 || (served % 16 === 0 && performance.now() > until)) break;
    }
    if (this.#deliveredInSlice > 0) {
      this.#stats.lag.add((performance.now() - this.#changedAt) / 1_000, this.#deliveredInSlice);
      this.#deliveredInSlice = 0;
    }
    if (this.#remaining > 0) this.#schedule();
    else if (this.#batches.size > 0) this.#batches.clear();
  }

  /** Writes what stands behind the cursor, as far as there is room, in one write. */
  #serve(pumped: Pumped, scope: ScopeState<unknown>): void {
    const { subscription, socket } = pumped;
    if (!socket.isOpen || !scope.loaded) return;
    if (subscription.saysOnlyData(scope) && !this.#isBehind(subscription, scope)) return;
    const { highWaterBytes } = this.#limits;
    let waiting = socket.waitingBytes;
    let isFull = false;
    const writes: Buffer[] = [];
    while (!subscription.closed) {
      if (subscription.saysOnlyData(scope)) {
        const ready = this.#isBehind(subscription, scope) ? this.#batchOf(subscription, scope) : undefined;
        if (!ready || !scope.view) break;
        isFull = waiting > 0 && waiting + ready.bytes > highWaterBytes;
        if (isFull) break;
        const bytes = this.#bytesOf(ready, pumped);
        subscription.taken(ready.batch, scope.view);
        this.#deliveredInSlice += ready.bodies.length;
        waiting += bytes.length;
        writes.push(bytes);
        continue;
      }
      isFull = waiting > highWaterBytes;
      if (isFull) break;
      const frame = subscription.take(scope);
      if (!frame) break;
      const bytes = textFrames(pumped.prefix, [this.#encoder.body(frame, frame)]);
      waiting += bytes.length;
      writes.push(bytes);
    }
    this.#write(socket, writes);
    if (isFull) this.#goOnLater(pumped);
  }

  #isBehind({ cursor }: Subscription<unknown, unknown>, { view }: ScopeState<unknown>): boolean {
    return view !== undefined && view.latest > cursor;
  }

  #write(socket: PumpedSocket, writes: readonly Buffer[]): void {
    if (writes.length === 0) return;
    socket.write(writes);
    this.#stats.writes += 1;
    for (const { length } of writes) this.#stats.bytes += length;
  }

  /** There is more than one turn may take: with the next one when the kernel took all of this, else when it has. */
  #goOnLater(pumped: Pumped): void {
    if (pumped.stalled) return;
    if (pumped.socket.waitingBytes === 0) {
      this.#hurry(pumped);
      return;
    }
    pumped.stalled = true;
    pumped.socket.onDrain(() => {
      pumped.stalled = false;
      if (!pumped.subscription.closed) this.#hurry(pumped);
    });
  }

  /** The batch behind a cursor: made once for all that stand there. */
  #batchOf(
    subscription: Subscription<unknown, unknown>,
    { view }: ScopeState<unknown>,
  ): ReadyBatch | undefined {
    if (!view) return undefined;
    if (this.#batchesOf !== view || this.#batchesAt !== view.changes) {
      this.#batches.clear();
      this.#batchesOf = view;
      this.#batchesAt = view.changes;
    }
    const { cursor } = subscription;
    const known = this.#batches.get(cursor);
    if (known) return known;
    const bodies: Buffer[] = [];
    let bytes = 0;
    const batch = this.#feed.batch(subscription, view, (frame, node) => {
      const body = this.#encoder.body(frame, node);
      if (bytes > 0 && bytes + body.length > BATCH_BYTES) return false;
      bodies.push(body);
      bytes += body.length;
      return true;
    });
    const ready = batch && { batch, bodies, bytes, ready: new Map<string, Buffer>() };
    if (this.#batches.size < READY_BATCHES) this.#batches.set(cursor, ready);
    return ready;
  }

  #bytesOf({ bodies, ready }: ReadyBatch, { id, prefix }: Pumped): Buffer {
    const known = ready.get(id);
    if (known) return known;
    const bytes = textFrames(prefix, bodies);
    if (ready.size < READY_IDS) ready.set(id, bytes);
    return bytes;
  }

  #remove(pumped: Pumped): void {
    const last = this.#pumped.pop();
    if (last && last !== pumped) {
      this.#pumped[pumped.at] = last;
      last.at = pumped.at;
      if (this.#remaining > 0 && !last.stalled) this.#hurry(last); // it may have moved behind the pass
    }
    pumped.subscription.onWake = undefined;
    pumped.ended();
    if (this.#pumped.length > 0) return;
    this.#remaining = 0;
    this.#batches.clear();
    this.#feed.undrive(this.#scope, this);
    this.#onEmpty();
  }
}
