/** One client of a random program. Everything that it is given is checked against the order, frame by frame. */
import { expect } from "vitest";
import type { SnapshotFrame, TrackedFrame } from "../../src/protocol/frames.ts";
import { type ClusterNode, Watcher } from "./cluster.ts";
import type { OrderModel } from "./program-order.ts";
import { type Place, placeOf, Replica } from "./program-replica.ts";

/** How a client asks to go on. */
export type From = "nowhere" | "own" | "earlier" | "garbage" | "future" | "foreign";

type Full = Extract<SnapshotFrame, { type: "snapshot_full" }>;
type Resumed = Extract<SnapshotFrame, { type: "snapshot_resumed" }>;

/** One subscription. */
interface Session {
  readonly watcher: Watcher;
  readonly node: ClusterNode;
  readonly asked: string | undefined;
  /** The head of the order when it asked. */
  readonly headWhenAsked: number;
  readonly tagWhenAsked: string;
  began: boolean;
  failed: string | undefined;
  /** The last frame of this subscription. */
  last: Place | undefined;
}

export interface ClientWorld {
  /** Every life of the order, newest last. */
  readonly orders: readonly OrderModel[];
}

const GARBAGE = "no position";

export class Client {
  readonly projectId: string;
  readonly #world: ClientWorld;
  #replica = new Replica();
  /** What it knew after each frame, so that it can go on from any of them. */
  readonly #history: { readonly id: string; readonly replica: Replica }[] = [];
  #session: Session | undefined;

  constructor(projectId: string, world: ClientWorld) {
    this.projectId = projectId;
    this.#world = world;
  }

  get replica(): Replica {
    return this.#replica;
  }

  get node(): ClusterNode | undefined {
    return this.#session?.node;
  }

  /** Still waiting for its first frame to be decided. */
  get waiting(): boolean {
    return this.#session !== undefined && !this.#session.began && this.#session.failed === undefined;
  }

  /** This node did not catch up in time: a client tries another one. */
  get failed(): boolean {
    return this.#session?.failed !== undefined;
  }

  /** Subscribes; leaves its present subscription. */
  open(node: ClusterNode, from: From, pick: number): void {
    this.drop();
    const asked = this.#position(from, pick);
    const subscription = node.live.feed.join(this.projectId);
    const session: Session = {
      watcher: new Watcher(subscription),
      node,
      asked,
      headWhenAsked: this.#world.orders.at(-1)?.head ?? 0,
      tagWhenAsked: node.live.workspaces.collection.tagOf(this.projectId),
      began: false,
      failed: undefined,
      last: undefined,
    };
    this.#session = session;
    node.live.feed.begin(subscription, asked).then(
      () => {
        session.began = true;
      },
      (error: { reason?: string }) => {
        session.failed = error.reason ?? String(error);
        expect(session.failed, "the only reason not to begin").toBe("behind");
        subscription.close();
      },
    );
  }

  drop(): void {
    this.#session?.watcher.close();
    this.#session = undefined;
  }

  /** Takes frames and checks each; a drain without a full gives each workspace once. */
  take(room: number): number {
    const session = this.#session;
    if (!session || session.failed !== undefined) return 0;
    const keys = new Set<string>();
    for (let taken = 0; taken < room; taken += 1) {
      const [frame] = session.watcher.take(1);
      if (!frame) return taken;
      this.#check(session, frame);
      const { data } = frame;
      if (data.type === "snapshot_full") keys.clear();
      if (data.type !== "snapshot_changed" && data.type !== "snapshot_removed") continue;
      expect(keys.has(data.workspaceId), "P4 each changed workspace once").toBe(false);
      keys.add(data.workspaceId);
    }
    return room;
  }

  /** P3, once everything is quiet: it knows what the order says. */
  expectConverged(): void {
    const order = this.#world.orders.at(-1);
    if (!order || !this.#session) return;
    expect(known(this.#replica), "P3").toEqual(order.shownAt(this.projectId, order.head));
    expect(this.#session.watcher.subscription.pending).toBe(false);
  }

  #position(from: From, pick: number): string | undefined {
    if (from === "nowhere" || from === "garbage" || from === "foreign") this.#replica = new Replica();
    switch (from) {
      case "nowhere":
        return undefined;
      case "own":
        return this.#replica.position;
      case "earlier": {
        const earlier = this.#history[pick % Math.max(1, this.#history.length)];
        if (!earlier) return this.#replica.position;
        this.#replica = earlier.replica.copy();
        return earlier.id;
      }
      case "garbage":
        return GARBAGE;
      case "future": {
        const tag = this.#world.orders.at(-1)?.tagOf(this.projectId);
        if (this.#replica.place?.tag !== tag) this.#replica = new Replica();
        return `${tag}.${Number.MAX_SAFE_INTEGER - pick}`;
      }
      case "foreign":
        return `${this.#world.orders.at(-1)?.tagOf(`${this.projectId}1`)}.${pick}`;
    }
  }

  #check(session: Session, frame: TrackedFrame<SnapshotFrame>): void {
    const { id, data } = frame;
    const at = placeOf(id);
    const order = this.#world.orders.find((life) => life.tagOf(this.projectId) === at.tag);
    if (!order) throw new Error(`P5 a position of no order of this project: ${id}`);
    const { collection } = session.node.live.workspaces;
    expect(collection.tagOf(this.projectId), "of the order that the node follows").toBe(at.tag);
    const { head } = collection;
    expect(at.sequence, "of what is committed").toBeLessThanOrEqual(order.head);
    this.#checkOrder(session, at, data);
    this.#checkProject(data);
    switch (data.type) {
      case "snapshot_full":
        this.#checkFull(session, order, at, data, head);
        break;
      case "snapshot_resumed":
        this.#checkResumed(session, order, at, data, head);
        break;
      case "snapshot_changed":
      case "snapshot_removed":
        this.#checkDelta(session, order, at, data, head);
        break;
      case "snapshot_status":
        expect(at.sequence, "where it stands").toBe(session.last?.sequence);
        break;
      case "snapshot_progress":
      case "snapshot_ended":
        throw new Error(`nobody asked for ${data.type}`);
    }
    const applied = this.#replica.apply(frame);
    if (applied) this.#replica.servedFrom = Math.max(this.#replica.servedFrom, head);
    session.last = at;
    this.#history.push({ id, replica: this.#replica.copy() });
    this.#checkNoGap(order);
  }

  /** P1. */
  #checkOrder(session: Session, at: Place, data: SnapshotFrame): void {
    const { last } = session;
    if (!last || last.tag !== at.tag) return;
    if (data.type === "snapshot_full" && data.reason === "ahead") return;
    if (at.kind === undefined) expect(at.sequence, "P1 deltas ascend").toBeGreaterThan(last.sequence);
    else expect(at.sequence, "P1 control frames do not go back").toBeGreaterThanOrEqual(last.sequence);
  }

  /** P5. */
  #checkProject(data: SnapshotFrame): void {
    if ("projectId" in data) expect(data.projectId).toBe(this.projectId);
    const entries =
      data.type === "snapshot_full" ? data.entries : data.type === "snapshot_changed" ? [data.entry] : [];
    for (const { projectId } of entries) expect(projectId, "P5").toBe(this.projectId);
  }

  #checkFull(session: Session, order: OrderModel, at: Place, full: Full, head: number): void {
    expect(at.kind).toBe("f");
    expect(at.sequence, "R9 the applied head, when it was cut").toBeLessThanOrEqual(head);
    for (const [key, { sequence }] of order.newest(this.projectId, head))
      expect(sequence, `R9 nothing has changed since: ${key}`).toBeLessThanOrEqual(at.sequence);
    expect(full.complete).toBe(true);
    const shown = new Map(
      full.entries.map(({ workspaceId, version, name }) => [workspaceId, { version, name }]),
    );
    expect(shown, "R9 as it was cut").toEqual(order.shownAt(this.projectId, at.sequence));
    const first = session.last === undefined;
    const cursor = first ? session.asked : `${session.last?.tag}.${session.last?.sequence}`;
    switch (full.reason) {
      case "first":
        expect(first && session.asked === undefined, "P6 first").toBe(true);
        return;
      case "invalid":
        expect(session.asked, "P6 invalid").toBe(GARBAGE);
        return;
      case "epoch-changed":
        // A node that has not heard of the new order takes its positions for foreign ones, and those of the old for good.
        if (first)
          expect(placeOf(cursor ?? "").tag === at.tag && at.tag === session.tagWhenAsked).toBe(false);
        else expect(placeOf(cursor ?? "").tag, "P6 epoch-changed").not.toBe(at.tag);
        return;
      case "ahead":
        expect(first, "P6 ahead").toBe(true);
        expect(this.#tags, "P6 ahead").toContain(placeOf(cursor ?? "").tag);
        expect(placeOf(cursor ?? "").sequence, "P6 ahead").toBeGreaterThan(session.headWhenAsked);
        return;
      case "trimmed": {
        const { tag, sequence } = placeOf(cursor ?? "");
        // Decided, and then the order was replaced before it was taken: a full it is, for one reason or the other.
        if (first && tag === session.tagWhenAsked && tag !== at.tag) return;
        expect(tag, "P6 trimmed").toBe(at.tag);
        expect(order.mayBeTrimmed(this.projectId, sequence, head), `P6 trimmed at ${sequence}`).toBe(true);
      }
    }
  }

  /** Of this project, in every life of the order. */
  get #tags(): readonly string[] {
    return this.#world.orders.map((order) => order.tagOf(this.projectId));
  }

  #checkResumed(session: Session, order: OrderModel, at: Place, resumed: Resumed, head: number): void {
    expect(session.last, "only as the first frame").toBeUndefined();
    expect(at.sequence, "R10 its own position").toBe(placeOf(session.asked ?? "").sequence);
    expect(at.sequence, "R8 never above what the node has").toBeLessThanOrEqual(head);
    const missed = [...order.newest(this.projectId, head).values()].filter(
      ({ sequence }) => sequence > at.sequence,
    );
    expect(resumed.missed, "R10").toBe(missed.length);
    const until = placeOf(resumed.until);
    expect(until.tag).toBe(at.tag);
    expect(until.sequence, "R10").toBe(Math.max(at.sequence, ...missed.map(({ sequence }) => sequence)));
  }

  #checkDelta(
    session: Session,
    order: OrderModel,
    at: Place,
    data: Extract<SnapshotFrame, { type: "snapshot_changed" | "snapshot_removed" }>,
    head: number,
  ): void {
    expect(at.kind).toBeUndefined();
    const newest = order.newest(this.projectId, head);
    const change = newest.get(data.workspaceId);
    expect(change?.sequence, "R11 the newest value, at its own sequence").toBe(at.sequence);
    if (data.type === "snapshot_removed") expect(change?.shown).toBeNull();
    else {
      const { version, name, workspaceId } = data.entry;
      expect({ workspaceId, version, name }).toEqual({ workspaceId: data.workspaceId, ...change?.shown });
    }
    const from = session.last?.sequence ?? 0;
    const skipped = [...newest].filter(([, { sequence }]) => sequence > from && sequence < at.sequence);
    expect(skipped, "P2 R11 the oldest above the cursor").toEqual([]);
  }

  /** P2: whatever last changed at or below its place, it knows as it is. */
  #checkNoGap(order: OrderModel): void {
    const { place, entries, servedFrom } = this.#replica;
    if (!place || place.tag !== order.tagOf(this.projectId)) return;
    const newest = order.newest(this.projectId, servedFrom);
    for (const [key, { sequence, shown }] of newest) {
      const entry = entries.get(key);
      const knows = entry && { version: entry.version, name: entry.name };
      if (sequence <= place.sequence) expect(knows ?? null, `P2 ${key} at ${place.sequence}`).toEqual(shown);
      else if (knows) {
        const was = order.changesOf(this.projectId, key).find((change) => change.sequence === knows.version);
        expect(was?.shown, `P2 ${key} was once what it is known as`).toEqual(knows);
        expect(knows.version).toBeLessThanOrEqual(place.sequence);
      }
    }
    for (const key of entries.keys()) expect(newest.has(key), `P2 ${key} was never here`).toBe(true);
  }
}

function known(replica: Replica): Map<string, { readonly version: number; readonly name: string }> {
  return new Map([...replica.entries].map(([key, { version, name }]) => [key, { version, name }]));
}
