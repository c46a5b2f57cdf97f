/**
 * The pump: how a change reaches many WebSockets at the price of a socket write.
 *
 * Need: tRPC's loop costs an iterator result, a promise race, an envelope, a transformer run and a string per subscriber
 * and change. Obvious answer: cache the encoded frame. It fails since the loop itself is the cost. So a subscription
 * runs through tRPC for input, rights and errors, and is then served beside its loop (`driven-subscription.ts`): the
 * pump, one per scope, writes ready frames to (socket, request id, cursor) until it ends.
 *
 * A pass over the subscribers works in slices and lets the event loop breathe between them. A change that arrives
 * meanwhile rides in the same write of those not served yet, so throughput rises under load while lag does not. A
 * socket above its high-water mark is passed over and its cursor stays; `drain` brings it back, with each changed key once.
 *
 * It stands on: the wire format of tRPC's subscriptions, RFC 6455 for frames, `net.Socket.write` beside a `ws` without
 * compression, which writes whole frames in order. The plain iterable (`src/feed/iterate.ts`) stays the reference: a
 * test holds the two equal, byte by byte.
 */

import type { Feed, FeedDriver } from "../../feed/feed.ts";
import type { Batch, ScopeState, Subscription } from "../../feed/subscription.ts";
import type { FeedView } from "../../feed/view.ts";
import { type FrameEncoder, textFrames } from "./encoded.ts";
import type { LagHistogram } from "./lag.ts";

/** The socket that a subscription is pumped into. */
export interface PumpedSocket {
  /** False once a close has begun: nothing may follow a close frame. */
  readonly isOpen: boolean;
  /** Bytes that wait for the peer. */
  readonly waitingBytes: number;
  write(frames: Buffer): void;
  /** All of it in one write. */
  writeAll(frames: readonly Buffer[]): void;
  /** Calls once when what waited is gone, or the socket is. */
  onDrain(drained: () => void): void;
}

/** Who is told that a subscription has ended. */
export interface PumpedOwner {
  ended(): void;
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
  readonly prefix: string;
  readonly owner: PumpedOwner;
  /** Above the mark: not looked at until drained. */
  stalled: boolean;
  isUrgent: boolean;
  at: number;
}

/** What stands behind one cursor, for all who stand there. */
interface ReadyBatch {
  readonly cursor: number;
  readonly batch: Batch<unknown, unknown>;
  readonly bodies: readonly Buffer[];
  readonly bytes: number;
  /** As WebSocket frames, by what stands in front of a result. */
  readonly ready: Map<string, Buffer>;
  /** The frames that were asked for last. */
  prefix: string | undefined;
  frames: Buffer;
}

const NOTHING = Buffer.alloc(0);
const SOCKETS_PER_SLICE = 256;
const SLICE_MS = 3;
/** Subscribers that are looked at together, and between two looks at the clock. */
const SOCKETS_PER_LOOK = 16;
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
  /** Who is being served step by step; its end is told after its last frame. */
  #serving: Pumped | undefined;
  #next = 0;
  /** How many of the circle have not been looked at since the last change. */
  #remaining = 0;
  #isScheduled = false;
  readonly #batches = new Map<number, ReadyBatch>();
  /** The one that was made last: in a pass most stand where the one before stood. */
  #newest: ReadyBatch | undefined;
  #batchesOf: unknown;
  #batchesAt = -1;
  /** When the last change was committed; milliseconds. */
  #changedAt = 0;
  /** What this slice did. Small numbers: a sum that outgrows 31 bits would have the hot code compiled anew, in mid-traffic. */
  #slicedDeliveries = 0;
  #slicedWrites = 0;
  #slicedBytes = 0;

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
    owner: PumpedOwner,
  ): void {
    if (subscription.closed) {
      owner.ended();
      return;
    }
    const pumped: Pumped = {
      subscription,
      socket,
      prefix,
      owner,
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
    this.#count();
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
      this.#serve(pumped, scope);
    }
    const until = performance.now() + SLICE_MS;
    for (let served = 0; this.#remaining > 0 && served < SOCKETS_PER_SLICE; served += SOCKETS_PER_LOOK) {
      if (served > 0 && performance.now() > until) break;
      for (const pumped of this.#due(scope)) this.#serve(pumped, scope);
    }
    this.#count();
    if (this.#remaining > 0) this.#schedule();
    else this.#forgetBatches();
  }

  #count(): void {
    if (this.#slicedWrites === 0) return;
    const waited = (performance.now() - this.#changedAt) / 1_000;
    if (this.#slicedDeliveries > 0) this.#stats.lag.add(waited, this.#slicedDeliveries);
    this.#stats.writes += this.#slicedWrites;
    this.#stats.bytes += this.#slicedBytes;
    this.#slicedDeliveries = 0;
    this.#slicedWrites = 0;
    this.#slicedBytes = 0;
  }

  /**
   * The next few of the circle that have something to hear. Looked at before any of them is written to: what a look needs
   * has long left the processor's caches, and this way it is fetched for all of them at the same time.
   */
  #due(scope: ScopeState<unknown>): readonly Pumped[] {
    const due: Pumped[] = [];
    for (let looked = 0; looked < SOCKETS_PER_LOOK && this.#remaining > 0; looked += 1) {
      this.#remaining -= 1;
      if (this.#next >= this.#pumped.length) this.#next = 0;
      const pumped = this.#pumped[this.#next];
      this.#next += 1;
      if (pumped && !pumped.stalled && pumped.socket.isOpen && this.#hasMore(pumped, scope)) due.push(pumped);
    }
    return due;
  }

  #hasMore({ subscription }: Pumped, scope: ScopeState<unknown>): boolean {
    return !subscription.saysOnlyData(scope) || (scope.view?.latest ?? 0) > subscription.cursor;
  }

  /** Writes what stands behind the cursor, in one write. */
  #serve(pumped: Pumped, scope: ScopeState<unknown>): void {
    const { subscription, socket } = pumped;
    const { view } = scope;
    if (subscription.closed) return;
    if (!view || !scope.loaded || !subscription.saysOnlyData(scope)) {
      this.#serveInSteps(pumped, scope);
      return;
    }
    if (view.latest <= subscription.cursor || !socket.isOpen) return;
    const ready = this.#batchOf(subscription, view);
    if (!ready) return;
    const waiting = socket.waitingBytes;
    if (
      ready.batch.through < view.latest ||
      (waiting > 0 && waiting + ready.bytes > this.#limits.highWaterBytes)
    ) {
      this.#serveInSteps(pumped, scope);
      return;
    }
    const frames = this.#framesOf(ready, pumped.prefix);
    subscription.taken(ready.batch, view);
    socket.write(frames);
    this.#slicedDeliveries += ready.bodies.length;
    this.#slicedWrites += 1;
    this.#slicedBytes += frames.length;
  }

  /** The same for who has more to hear than one batch of changes, as far as there is room. */
  #serveInSteps(pumped: Pumped, scope: ScopeState<unknown>): void {
    const { subscription, socket } = pumped;
    if (!socket.isOpen || !scope.loaded) return;
    const { highWaterBytes } = this.#limits;
    let waiting = socket.waitingBytes;
    let isFull = false;
    const writes: Buffer[] = [];
    this.#serving = pumped;
    while (!subscription.closed) {
      if (subscription.saysOnlyData(scope)) {
        const { view } = scope;
        const ready =
          view && view.latest > subscription.cursor ? this.#batchOf(subscription, view) : undefined;
        if (!ready || !view) break;
        isFull = waiting > 0 && waiting + ready.bytes > highWaterBytes;
        if (isFull) break;
        const frames = this.#framesOf(ready, pumped.prefix);
        subscription.taken(ready.batch, view);
        this.#slicedDeliveries += ready.bodies.length;
        waiting += frames.length;
        writes.push(frames);
        continue;
      }
      isFull = waiting > highWaterBytes;
      if (isFull) break;
      const frame = subscription.take(scope);
      if (!frame) break;
      const frames = textFrames(pumped.prefix, [this.#encoder.body(frame, frame)]);
      waiting += frames.length;
      writes.push(frames);
    }
    this.#serving = undefined;
    this.#write(socket, writes);
    if (subscription.closed)
      pumped.owner.ended(); // after its last frame
    else if (isFull) this.#goOnLater(pumped);
  }

  #write(socket: PumpedSocket, writes: readonly Buffer[]): void {
    const [first] = writes;
    if (first === undefined) return;
    if (writes.length === 1) socket.write(first);
    else socket.writeAll(writes);
    this.#slicedWrites += 1;
    for (const { length } of writes) this.#slicedBytes += length;
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
  #batchOf(subscription: Subscription<unknown, unknown>, view: FeedView<unknown>): ReadyBatch | undefined {
    if (this.#batchesOf !== view || this.#batchesAt !== view.changes) {
      this.#forgetBatches();
      this.#batchesOf = view;
      this.#batchesAt = view.changes;
    }
    const { cursor } = subscription;
    if (this.#newest?.cursor === cursor) return this.#newest;
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
    if (!batch) return undefined;
    const ready = {
      cursor,
      batch,
      bodies,
      bytes,
      ready: new Map<string, Buffer>(),
      prefix: undefined,
      frames: NOTHING,
    };
    if (this.#batches.size < READY_BATCHES) this.#batches.set(cursor, ready);
    this.#newest = ready;
    return ready;
  }

  /** Most use the same request id as the one before. */
  #framesOf(batch: ReadyBatch, prefix: string): Buffer {
    if (batch.prefix === prefix) return batch.frames;
    const { ready, bodies } = batch;
    const frames = ready.get(prefix) ?? textFrames(prefix, bodies);
    if (ready.size < READY_IDS) ready.set(prefix, frames);
    batch.prefix = prefix;
    batch.frames = frames;
    return frames;
  }

  #forgetBatches(): void {
    if (this.#batches.size > 0) this.#batches.clear();
    this.#newest = undefined;
  }

  #remove(pumped: Pumped): void {
    const last = this.#pumped.pop();
    if (last && last !== pumped) {
      this.#pumped[pumped.at] = last;
      last.at = pumped.at;
      if (this.#remaining > 0 && !last.stalled) this.#hurry(last); // it may have moved behind the pass
    }
    pumped.subscription.onWake = undefined;
    if (this.#serving !== pumped) pumped.owner.ended();
    if (this.#pumped.length > 0) return;
    this.#remaining = 0;
    this.#forgetBatches();
    this.#feed.undrive(this.#scope, this);
    this.#onEmpty();
  }
}
