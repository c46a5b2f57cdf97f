/**
 * One stream, followed once per process for all of its collections: live, with what was missed read again, and handed
 * to each collection's sink in the one order of the stream.
 */
import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import type { Subscription } from "@nats-io/transport-node";
import { anyOf, deadlineOf } from "../../deadline.ts";
import type { Logger } from "../../log.ts";
import type { JournalFollower, JournalSink } from "../journal.ts";
import { JournalUnavailable } from "../journal.ts";
import { type StreamCalls, type StreamHead, type StreamMessage, unavailable, wordsOf } from "./api.ts";
import { readBacklog } from "./backlog.ts";
import { Holes } from "./holes.ts";
import type { StreamSpec } from "./options.ts";
import { Order } from "./order.ts";
import { decodeEpoch, decodeFloor, decodeRecord } from "./payload.ts";
import type { Place } from "./subjects.ts";

export interface FollowerOptions {
  readonly api: StreamCalls;
  readonly spec: StreamSpec;
  readonly logger: Logger;
  /** The stream may not be the one that was followed until now: to be looked into. */
  readonly onSuspicion: () => void;
}

interface Attached {
  readonly collection: string;
  readonly sink: JournalSink;
  live: boolean;
  loading: boolean;
  stopped: boolean;
  /** What came while the backlog is read. */
  buffer: StreamMessage[];
}

/** An acknowledged record that has not come within this time is read, in milliseconds. */
const LATE_MS = 100;
const RETRY_MS = [100, 200, 500, 1_000] as const;
/** How much may come while a backlog is read; beyond it the backlog is read again. */
const MAX_BUFFER = 50_000;

export class StreamFollower {
  readonly #options: FollowerOptions;
  readonly #order = new Order();
  readonly #holes: Holes;
  readonly #attached = new Set<Attached>();
  readonly #waiting = new Set<{ readonly sequence: number; readonly resolve: () => void }>();
  #subscription: Subscription | undefined;
  #liveRefused: Error | undefined;
  #epoch = "";
  /** One life of the order as it is followed: aborted when it begins anew. */
  #life = new AbortController();
  #stopped = false;
  #known = 0;
  #late: NodeJS.Timeout | undefined;
  #away: string | undefined;
  #giving = false;
  #held = false;

  constructor(options: FollowerOptions) {
    this.#options = options;
    this.#holes = new Holes({
      order: this.#order,
      next: (sequence) => options.api.next(options.spec.name, sequence),
      mark: () => this.mark(),
      known: () => this.#known,
      onFilled: () => this.#give(),
      onGivenUp: (why) => {
        options.logger.warn(
          { stream: options.spec.name, why },
          "what was missed is not to be had: all is read again",
        );
        void this.restart(this.#epoch);
      },
    });
  }

  get epoch(): string {
    return this.#epoch;
  }

  get applied(): number {
    return this.#order.applied;
  }

  /** The highest sequence that this node was given, or that the engine said exists. */
  get known(): number {
    return Math.max(this.#known, this.#order.applied);
  }

  /** Every collection has its backlog, and nothing is known that was not given. */
  get caughtUp(): boolean {
    return this.#order.applied >= this.#known && [...this.#attached].every(({ live }) => live);
  }

  /** @throws {@link JournalUnavailable} when it cannot begin now. */
  async start(epoch: string): Promise<void> {
    const { api, spec } = this.#options;
    this.#subscription = await api.live(
      spec.subjects.live,
      (message) => this.#arrived(message),
      (error) => {
        this.#liveRefused = error;
      },
    );
    if (this.#liveRefused) throw unavailable(this.#liveRefused, "following");
    this.#begin(epoch, await api.head(spec.name));
  }

  /** Begins anew, in the same life of the order or in another one: each sink is reset and given everything. */
  async restart(epoch: string): Promise<void> {
    const { api, spec } = this.#options;
    this.#life.abort();
    const life = new AbortController();
    this.#life = life;
    for (const attached of this.#attached) attached.live = false;
    for (let attempt = 0; !this.#stopped && this.#life === life; attempt += 1) {
      const head = await api.head(spec.name).catch(() => undefined);
      if (this.#stopped || this.#life !== life) return;
      if (head) return this.#begin(epoch, head);
      await delay(RETRY_MS[Math.min(attempt, RETRY_MS.length - 1)]);
    }
  }

  #begin(epoch: string, { lastSequence }: StreamHead): void {
    this.#epoch = epoch;
    this.#known = lastSequence;
    this.#order.restart(lastSequence);
    for (const attached of this.#attached)
      this.#load(attached).catch((error: unknown) => {
        this.#options.logger.warn({ why: wordsOf(error) }, "a backlog is not read any more");
      });
  }

  /** Gives nothing until {@link resume}: what arrives may be of another order. */
  hold(): void {
    this.#held = true;
  }

  resume(): void {
    this.#held = false;
    this.#give();
  }

  /** Gives the backlog, then what follows. @throws {@link JournalUnavailable} after `deadlineMs` without success. */
  async attach(collection: string, sink: JournalSink, deadlineMs: number): Promise<JournalFollower> {
    const attached: Attached = { collection, sink, live: false, loading: false, stopped: false, buffer: [] };
    const stop = (): void => {
      attached.stopped = true;
      this.#attached.delete(attached);
    };
    this.#attached.add(attached);
    if (this.#away !== undefined) sink.status(false, this.#away);
    const deadline = deadlineOf(deadlineMs);
    try {
      await this.#load(attached, deadline.signal);
    } catch (error) {
      stop();
      throw error;
    } finally {
      deadline[Symbol.dispose]();
    }
    return { stop };
  }

  /** The engine said that this sequence exists: if it does not come by itself, it is read. */
  expect(sequence: number): void {
    if (sequence <= this.#order.applied) return;
    this.#known = Math.max(this.#known, sequence);
    if (this.#late || this.#stopped) return;
    this.#late = setTimeout(() => {
      this.#late = undefined;
      if (this.#order.applied < this.#known) this.#holes.fill();
    }, LATE_MS);
  }

  /** Resolves when `sequence` was given here; rejects when following begins anew. */
  reached(sequence: number, signal: AbortSignal = this.#life.signal): Promise<void> {
    this.expect(sequence);
    return new Promise((resolve, reject) => {
      if (this.#order.applied >= sequence) return resolve();
      const leave = (): void => {
        this.#waiting.delete(waiter);
        reject(anew());
      };
      if (signal.aborted) return reject(anew());
      const waiter = {
        sequence,
        resolve: () => {
          signal.removeEventListener("abort", leave);
          resolve();
        },
      };
      signal.addEventListener("abort", leave, { once: true });
      this.#waiting.add(waiter);
    });
  }

  /** Writes a mark and answers its place: everything that was acknowledged before lies below it. */
  async mark(collection = "meta"): Promise<number> {
    const { api, spec } = this.#options;
    const { sequence } = await api.publish({
      stream: spec.name,
      subject: spec.subjects.mark(collection),
      data: new Uint8Array(),
      id: randomUUID(),
    });
    if (sequence > 0) return sequence;
    throw new JournalUnavailable("whether the mark was stored is not known", { inDoubt: true });
  }

  /**
   * Whether what the stream holds where something was given lately is what was given; `false`: it is another order. It is
   * the leader that says so: a copy may be late, or not answer.
   */
  async agrees(): Promise<boolean> {
    const { api, spec } = this.#options;
    let from = this.#order.remembered;
    while (from !== undefined) {
      const kept = await api.get(spec.name, { seq: from, next_by_subj: ">" });
      if (!kept || kept.sequence > this.#order.applied) return true;
      if (this.#order.agrees(kept) === false) return false;
      from = kept.sequence + 1;
    }
    return true;
  }

  /** Tells every sink; `undefined`: it is back. */
  tellAway(reason: string | undefined): void {
    if (this.#away === reason) return;
    this.#away = reason;
    for (const { sink } of this.#attached) {
      if (reason === undefined) sink.status(true);
      else sink.status(false, reason);
    }
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#late);
    this.#late = undefined;
    this.#subscription?.unsubscribe();
    this.#life.abort();
    this.#holes.stop();
    this.#attached.clear();
  }

  #arrived(message: StreamMessage): void {
    if (this.#stopped) return;
    if (this.#order.agrees(message) === false) {
      this.#options.onSuspicion();
      return;
    }
    this.#order.put(message);
    this.#give();
    if (this.#order.full) this.#holes.giveUp("too much is waiting behind what was missed");
    else if (this.#order.hasHole) this.#holes.fill();
  }

  #give(): void {
    if (this.#giving || this.#held) return;
    this.#giving = true;
    try {
      for (const { sequence, message } of this.#order.take()) {
        const place = message && this.#options.spec.subjects.parse(message.subject);
        if (message && place) this.#giveOne(message, place);
        if (this.#held) return;
        for (const { live, sink } of this.#attached) if (live) sink.advance(sequence);
      }
    } finally {
      this.#giving = false;
    }
    for (const waiter of this.#waiting) {
      if (waiter.sequence > this.#order.applied) continue;
      this.#waiting.delete(waiter);
      waiter.resolve();
    }
  }

  #giveOne(message: StreamMessage, place: Place): void {
    if (place.kind === "epoch") {
      if (decodeEpoch(message.data) === this.#epoch) return;
      this.hold(); // somebody found that this order is not the one that was told
      this.#options.onSuspicion();
      return;
    }
    for (const attached of this.#attached) {
      if (attached.collection !== place.collection) continue;
      if (attached.live) this.#tell(attached.sink, message, place);
      else if (attached.buffer.length < MAX_BUFFER) attached.buffer.push(message);
    }
  }

  #tell(sink: JournalSink, { sequence, data }: StreamMessage, place: Place): void {
    if (place.kind === "record") {
      const record = decodeRecord(data);
      if (record) sink.record({ sequence, key: place.key, body: record.body });
      else this.#unreadable(sequence);
    }
    if (place.kind === "floor") {
      const floor = decodeFloor(data);
      if (floor === undefined) this.#unreadable(sequence);
      else sink.floor(place.scope, floor);
    }
  }

  #unreadable(sequence: number): void {
    const { logger, spec } = this.#options;
    logger.error({ stream: spec.name, sequence }, "a message was skipped: a newer version wrote it?");
  }

  async #load(attached: Attached, deadline?: AbortSignal): Promise<void> {
    if (attached.loading) return; // whoever loads it sees that a new life has begun
    attached.loading = true;
    try {
      for (let attempt = 0; !attached.live && !attached.stopped; attempt += 1) {
        const life = this.#life.signal;
        const both = deadline ? anyOf(life, deadline) : undefined;
        try {
          await this.#loadOnce(attached, both?.signal ?? life);
        } catch (error) {
          if (this.#stopped) throw new JournalUnavailable("the journal is closed", { inDoubt: false });
          if (deadline?.aborted) throw unavailable(error, "the backlog");
          if (!life.aborted)
            this.#options.logger.warn({ why: wordsOf(error) }, "the backlog could not be read");
          await delay(RETRY_MS[Math.min(attempt, RETRY_MS.length - 1)]);
        } finally {
          both?.[Symbol.dispose]();
        }
      }
    } finally {
      attached.loading = false;
    }
  }

  /** Gives the whole backlog in one turn. */
  async #loadOnce(attached: Attached, life: AbortSignal): Promise<void> {
    const { api, spec } = this.#options;
    const { collection, sink } = attached;
    attached.buffer = [];
    const through = await this.mark(collection);
    const newest = await readBacklog({ api, spec, collection, through, signal: life });
    // What was replaced while it was read stands below this mark, and comes live.
    await this.reached(await this.mark(), life);
    if (life.aborted) throw anew();
    if (attached.stopped) return;
    if (attached.buffer.length >= MAX_BUFFER)
      throw new JournalUnavailable("more came meanwhile than is kept", { inDoubt: false });
    for (const message of attached.buffer) newest.set(message.subject, message);
    attached.buffer = [];

    const given = [...newest.values()].sort((a, b) => a.sequence - b.sequence);
    const placed = given.map((message) => ({ message, place: spec.subjects.parse(message.subject) }));
    sink.reset(this.#epoch);
    for (const kind of ["floor", "record"] as const)
      for (const { message, place } of placed) if (place?.kind === kind) this.#tell(sink, message, place);
    sink.advance(this.#order.applied);
    attached.live = true;
  }
}

function anew(): JournalUnavailable {
  return new JournalUnavailable("following begins anew", { inDoubt: false });
}
