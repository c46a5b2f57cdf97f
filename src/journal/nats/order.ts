/**
 * Puts what arrives into the order of the stream. Messages come live, mostly in order; one that did not come is read
 * again, or is known to be gone (a newer one of its subject took its place, or it was deleted).
 *
 * Where something is gone, what took its place stands further up: a state in between would lack it. So after a void
 * nothing is given until everything up to the gate is here, a head that was asked for after the void was found.
 */
import type { StreamMessage } from "./api.ts";

/** How much is kept above a hole. */
const MAX_AHEAD = 10_000;
const MAX_AHEAD_BYTES = 64 * 1024 * 1024;
/** How many of the last messages are remembered by their ids. */
const REMEMBERED = 128;

export class Order {
  #applied = 0;
  /** The end of what is here without a hole. */
  #contiguous = 0;
  /** Above `applied`; null = gone. */
  readonly #ahead = new Map<number, StreamMessage | null>();
  #aheadBytes = 0;
  #gate = 0;
  /** The ids of what was given last, by sequence: evidence that the stream is the one that we knew. */
  readonly #given = new Map<number, string>();

  /** The highest sequence that was given, or is void. */
  get applied(): number {
    return this.#applied;
  }

  /** The lowest sequence that is not here. */
  get missing(): number {
    return this.#contiguous + 1;
  }

  get full(): boolean {
    return this.#ahead.size >= MAX_AHEAD || this.#aheadBytes >= MAX_AHEAD_BYTES;
  }

  /** The highest sequence that is here. */
  get highest(): number {
    let highest = this.#applied;
    for (const sequence of this.#ahead.keys()) if (sequence > highest) highest = sequence;
    return highest;
  }

  get hasHole(): boolean {
    return this.#ahead.size > this.#contiguous - this.#applied;
  }

  /** Nothing is given below the gate. */
  get gated(): boolean {
    return this.#gate > this.#contiguous;
  }

  /** Begins anew: everything up to `applied` is void. */
  restart(applied: number): void {
    this.#ahead.clear();
    this.#aheadBytes = 0;
    this.#given.clear();
    this.#applied = applied;
    this.#contiguous = applied;
    this.#gate = 0;
  }

  put(message: StreamMessage): void {
    const { sequence } = message;
    if (sequence <= this.#applied || this.#ahead.get(sequence)) return;
    this.#ahead.set(sequence, message);
    this.#aheadBytes += message.data.length;
    this.#extend();
  }

  /** Everything in the range that is not here is gone, and nothing is given until {@link gateAt} says up to where. */
  voids(from: number, to: number): void {
    for (let sequence = Math.max(from, this.#applied + 1); sequence <= to; sequence += 1)
      if (!this.#ahead.has(sequence)) this.#ahead.set(sequence, null);
    this.#gate = Number.POSITIVE_INFINITY;
    this.#extend();
  }

  gateAt(sequence: number): void {
    this.#gate = sequence;
  }

  /** What can be given now, in order; null for what is gone. It counts as given. */
  *take(): Generator<{ readonly sequence: number; readonly message: StreamMessage | null }> {
    if (this.gated) return;
    const end = this.#contiguous;
    while (this.#applied < end) {
      const sequence = this.#applied + 1;
      const message = this.#ahead.get(sequence) ?? null;
      this.#ahead.delete(sequence);
      this.#aheadBytes -= message?.data.length ?? 0;
      this.#applied = sequence;
      if (message) this.#remember(message);
      yield { sequence, message };
      if (this.#applied !== sequence) return; // begun anew meanwhile
    }
  }

  /** Whether the stream has, at a sequence that was given, what was given; `undefined` when that is not known. */
  agrees({ sequence, id }: Pick<StreamMessage, "sequence" | "id">): boolean | undefined {
    if (sequence > this.#applied || sequence < (this.remembered ?? Number.POSITIVE_INFINITY))
      return undefined;
    return this.#given.get(sequence) === id;
  }

  /** The lowest sequence whose id is remembered. */
  get remembered(): number | undefined {
    const [oldest] = this.#given.keys();
    return oldest;
  }

  #remember({ sequence, id }: StreamMessage): void {
    this.#given.set(sequence, id);
    if (this.#given.size <= REMEMBERED) return;
    const oldest = this.remembered;
    if (oldest !== undefined) this.#given.delete(oldest);
  }

  #extend(): void {
    while (this.#ahead.has(this.#contiguous + 1)) this.#contiguous += 1;
  }
}
