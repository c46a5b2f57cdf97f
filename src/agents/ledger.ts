/**
 * What the kept messages come to: a lane per device, in order of acceptance, and sums over all devices. Kept in step
 * with the applied records, so that accepting, dispatching and counting never walk over all messages.
 */
import type { CollectionRecord } from "../collection/record.ts";
import type { MessageStatus } from "../protocol/agents.ts";
import { isDeadLetter, isSent, isSettled, type MessageState } from "./message.ts";
import { type DeviceCounts, NO_COUNTS } from "./presence.ts";

interface Known {
  readonly deviceId: string;
  /** The sequence of its acceptance. */
  readonly place: number;
  readonly status: MessageStatus;
  readonly bytes: number;
}

interface Lane {
  /** Messages that are not settled, in order of acceptance. */
  readonly open: Set<string>;
  /** Messages that are settled and remembered. */
  readonly settled: Set<string>;
  /** The highest place that was ever open. */
  newest: number;
  counts: DeviceCounts;
}

/** A message as it was committed. */
export type MessageRecord = Pick<CollectionRecord<MessageState>, "sequence" | "state">;

/** The sequence of a message's acceptance. The record of the acceptance itself does not know it yet. */
export const placeOf = ({ sequence, state }: MessageRecord): number => state.order || sequence;

interface Sums {
  messages: number;
  bytes: number;
}

export class Ledger {
  readonly #known = new Map<string, Known>();
  readonly #lanes = new Map<string, Lane>();
  /** Oldest first. */
  readonly #settled = new Set<string>();
  readonly open: Sums = { messages: 0, bytes: 0 };
  readonly settled: Sums = { messages: 0, bytes: 0 };

  /** Begins anew. @param records - In order of acceptance. */
  reset(records: Iterable<readonly [string, MessageRecord]>): void {
    this.#known.clear();
    this.#lanes.clear();
    this.#settled.clear();
    for (const sums of [this.open, this.settled]) {
      sums.messages = 0;
      sums.bytes = 0;
    }
    for (const [messageId, record] of records) this.put(messageId, record);
  }

  /**
   * The newest record of a message. Its place is that of its acceptance, not of this record: where an earlier record was
   * replaced before this node heard of it, later messages were heard of first.
   */
  put(messageId: string, record: MessageRecord): void {
    const { deviceId, status, bytes } = record.state;
    const place = placeOf(record);
    const before = this.#known.get(messageId);
    const lane = this.#laneOf(deviceId);
    this.#count(before, -1, lane);
    const now: Known = { deviceId, place, status, bytes };
    this.#known.set(messageId, now);
    this.#count(now, 1, lane);
    if (isSettled(status)) {
      lane.open.delete(messageId);
      if (before && isSettled(before.status)) return; // it is as old as it was
      lane.settled.add(messageId);
      this.#settled.add(messageId);
      return;
    }
    lane.settled.delete(messageId);
    this.#settled.delete(messageId);
    if (before?.place !== place) lane.open.delete(messageId); // accepted anew
    if (lane.open.has(messageId)) return;
    lane.open.add(messageId);
    if (place < lane.newest) this.#sort(lane.open);
    else lane.newest = place;
  }

  #sort(open: Set<string>): void {
    const placed = [...open].map((messageId) => [this.#known.get(messageId)?.place ?? 0, messageId] as const);
    open.clear();
    for (const [, messageId] of placed.sort(([a], [b]) => a - b)) open.add(messageId);
  }

  delete(messageId: string): void {
    const known = this.#known.get(messageId);
    if (!known) return;
    const lane = this.#laneOf(known.deviceId);
    this.#known.delete(messageId);
    this.#settled.delete(messageId);
    lane.open.delete(messageId);
    lane.settled.delete(messageId);
    this.#count(known, -1, lane);
    if (lane.open.size === 0 && lane.settled.size === 0) this.#lanes.delete(known.deviceId);
  }

  has(messageId: string): boolean {
    return this.#known.has(messageId);
  }

  deviceOf(messageId: string): string | undefined {
    return this.#known.get(messageId)?.deviceId;
  }

  /** The oldest message of a device that is not settled. */
  headOf(deviceId: string): string | undefined {
    const [head] = this.#lanes.get(deviceId)?.open ?? [];
    return head;
  }

  /** Its place in the lane, from 1; undefined when it is not in it. */
  positionOf(messageId: string): number | undefined {
    const known = this.#known.get(messageId);
    if (!known || isSettled(known.status)) return undefined;
    let position = 0;
    for (const id of this.#lanes.get(known.deviceId)?.open ?? []) {
      position += 1;
      if (id === messageId) return position;
    }
    return undefined;
  }

  countsOf(deviceId: string): DeviceCounts {
    return this.#lanes.get(deviceId)?.counts ?? NO_COUNTS;
  }

  hasMessages(deviceId: string): boolean {
    return this.#lanes.has(deviceId);
  }

  /** Devices with messages. */
  devices(): IterableIterator<string> {
    return this.#lanes.keys();
  }

  /** The dead letters of a device, or of all, newest first. */
  *deadLetters(deviceId: string | undefined): Generator<string> {
    const among = deviceId === undefined ? this.#settled : (this.#lanes.get(deviceId)?.settled ?? []);
    for (const messageId of [...among].reverse()) {
      const known = this.#known.get(messageId);
      if (known && isDeadLetter(known.status)) yield messageId;
    }
  }

  /** The message that was settled first of those that are remembered. */
  get oldestSettled(): string | undefined {
    const [oldest] = this.#settled;
    return oldest;
  }

  /** Sums over all devices, for people. */
  totals(): DeviceCounts {
    const sum = { ...NO_COUNTS };
    for (const { counts } of this.#lanes.values()) {
      sum.waiting += counts.waiting;
      sum.inFlight += counts.inFlight;
      sum.stuck += counts.stuck;
      sum.deadLetters += counts.deadLetters;
    }
    return sum;
  }

  #laneOf(deviceId: string): Lane {
    const known = this.#lanes.get(deviceId);
    if (known) return known;
    const lane: Lane = { open: new Set(), settled: new Set(), newest: 0, counts: NO_COUNTS };
    this.#lanes.set(deviceId, lane);
    return lane;
  }

  #count(known: Known | undefined, by: 1 | -1, lane: Lane): void {
    if (!known) return;
    const sums = isSettled(known.status) ? this.settled : this.open;
    sums.messages += by;
    sums.bytes += by * known.bytes;
    const { waiting, inFlight, stuck, deadLetters } = lane.counts;
    const { status } = known;
    lane.counts = {
      waiting: waiting + (status === "waiting" ? by : 0),
      inFlight: inFlight + (isSent(status) ? by : 0),
      stuck: stuck + (status === "stuck" ? by : 0),
      deadLetters: deadLetters + (isDeadLetter(status) ? by : 0),
    };
  }
}
