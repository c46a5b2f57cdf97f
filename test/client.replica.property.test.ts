/**
 * A replica against a model that is only a plain map: whatever is written, dropped, repeated, restarted or pruned, and
 * whatever a superseded subscription still says, every frame leaves the replica right for its position, and the last
 * one leaves it equal.
 */
import fc from "fast-check";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { createProjectReplica, type ProjectReplica } from "../client/replica.ts";
import type { FullReason } from "../src/protocol/frames.ts";
import { parsePosition } from "../src/protocol/position.ts";
import { FakePage, FakeSnapshots, type FakeSubscription } from "./helpers/client-fakes.ts";
import {
  changed,
  entry,
  full,
  progress,
  removed,
  resumed,
  status,
  type TestEntry,
  type TestFrame,
} from "./helpers/client-frames.ts";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** The truth: the newest value of each key, and when it last changed. A removal is a value too. */
class Project {
  life = 0;
  head = 0;
  floor = 0;
  readonly last = new Map<string, { sequence: number; value: TestEntry | null }>();

  get tag(): string {
    return `life${String(this.life).padStart(8, "0")}`;
  }

  write(key: string): void {
    this.head += 2; // sequences have gaps
    this.last.set(key, { sequence: this.head, value: entry(key, this.head) });
  }

  remove(key: string): void {
    if (!this.last.get(key)?.value) return;
    this.head += 1;
    this.last.set(key, { sequence: this.head, value: null });
  }

  /** Forgets its tombstones. */
  prune(): void {
    for (const [key, { sequence, value }] of this.last) {
      if (value) continue;
      this.last.delete(key);
      this.floor = Math.max(this.floor, sequence);
    }
  }

  /** Another life: nothing of the old order is left but the values, and sequences start low. */
  restart(): void {
    const values = [...this.last.values()].flatMap(({ value }) => (value ? [value.workspaceId] : []));
    this.life += 1;
    this.head = 0;
    this.floor = 0;
    this.last.clear();
    for (const key of values) this.write(key);
  }

  after(cursor: number): { key: string; sequence: number; value: TestEntry | null }[] {
    return [...this.last]
      .map(([key, record]) => ({ key, ...record }))
      .filter(({ sequence }) => sequence > cursor)
      .sort((a, b) => a.sequence - b.sequence);
  }

  full(reason: FullReason): TestFrame {
    const entries = [...this.last.values()].flatMap(({ value }) => (value ? [value] : []));
    return full(this.head, entries, { tag: this.tag, reason });
  }
}

/** The server's side of one subscription: a cursor, as the protocol says. */
class Stream {
  readonly #project: Project;
  readonly #subscription: FakeSubscription;
  readonly told: TestFrame[] = [];
  #tag = "";
  #cursor = 0;
  #opened = false;

  constructor(project: Project, subscription: FakeSubscription) {
    this.#project = project;
    this.#subscription = subscription;
  }

  get subscription(): FakeSubscription {
    return this.#subscription;
  }

  next(): TestFrame | undefined {
    const frame = this.#take();
    if (frame) this.told.push(frame);
    return frame;
  }

  #take(): TestFrame | undefined {
    const { tag, floor } = this.#project;
    if (!this.#opened) {
      this.#opened = true;
      const from = parsePosition(this.#subscription.input.lastEventId);
      if (!from) return this.#full("first");
      if (from.tag !== tag) return this.#full("epoch-changed");
      if (from.sequence < floor) return this.#full("trimmed");
      this.#tag = tag;
      this.#cursor = from.sequence;
      return resumed(from.sequence, Math.max(from.sequence, this.#project.after(0).at(-1)?.sequence ?? 0), {
        tag,
      });
    }
    if (this.#tag !== tag) return this.#full("epoch-changed");
    if (this.#cursor < floor) return this.#full("trimmed");
    const next = this.#project.after(this.#cursor)[0];
    if (!next) return undefined;
    this.#cursor = next.sequence;
    return next.value ? changed(next.sequence, next.key, { tag }) : removed(next.sequence, next.key, { tag });
  }

  #full(reason: FullReason): TestFrame {
    this.#tag = this.#project.tag;
    this.#cursor = this.#project.head;
    return this.#project.full(reason);
  }

  /** A control frame at the cursor. */
  remark(fresh: boolean): TestFrame | undefined {
    if (!this.#tag) return undefined;
    const { sequence, tag } = { sequence: this.#cursor, tag: this.#tag };
    return fresh ? progress(sequence, true, { tag }) : status(sequence, false, "away", { tag });
  }
}

type Step =
  | { readonly do: "write" | "remove"; readonly key: string }
  | { readonly do: "take" | "repeat" | "ghost" | "stray"; readonly n: number }
  | { readonly do: "fail" | "prune" | "restart" | "remark" | "look" };

const key = fc.constantFrom("a", "b", "c", "d");
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant("write" as const), key }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("remove" as const), key }) },
  {
    weight: 8,
    arbitrary: fc.record({ do: fc.constant("take" as const), n: fc.integer({ min: 1, max: 4 }) }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constantFrom("repeat" as const, "ghost" as const, "stray" as const),
      n: fc.nat({ max: 50 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constantFrom("fail" as const, "remark" as const, "look" as const) }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom("prune" as const, "restart" as const) }) },
);

/** What the replica shows is right for where it says it stands. */
function expectRightForItsPosition(project: Project, replica: ProjectReplica<TestEntry>): void {
  const { position, byId } = replica.getSnapshot();
  const at = parsePosition(position);
  if (at?.tag !== project.tag) return; // of an earlier life: the old view stands until the next full
  for (const [id, { sequence, value }] of project.last)
    if (sequence <= at.sequence) expect(byId.get(id) ?? null).toEqual(value);
  for (const id of byId.keys()) if (at.sequence >= project.floor) expect(project.last.has(id)).toBe(true);
}

async function run(steps: readonly Step[]): Promise<void> {
  const project = new Project();
  const snapshots = new FakeSnapshots();
  const streams: Stream[] = [];
  snapshots.onSubscribe = (subscription) => streams.push(new Stream(project, subscription));
  const replica = createProjectReplica(snapshots, {
    projectId: "p",
    surroundings: new FakePage(),
    retry: { floorMs: 1, capMs: 1 },
  });
  const deliver = (subscription: FakeSubscription, frame: TestFrame | undefined): void => {
    if (!frame) return;
    const before = replica.getSnapshot();
    subscription.deliver(structuredClone(frame)); // as a transport does: never the same object twice
    expectRightForItsPosition(project, replica);
    const after = replica.getSnapshot();
    for (const [id, value] of after.byId)
      if (
        before.byId.get(id)?.version === value.version &&
        before.position?.slice(0, 12) === after.position?.slice(0, 12)
      )
        expect(value).toBe(before.byId.get(id));
  };
  try {
    for (const each of steps) {
      const stream = streams.at(-1);
      if (!stream) throw new Error("nobody subscribed");
      switch (each.do) {
        case "write":
          project.write(each.key);
          break;
        case "remove":
          project.remove(each.key);
          break;
        case "prune":
          project.prune();
          break;
        case "restart":
          project.restart();
          break;
        case "take":
          for (let i = 0; i < each.n; i += 1) deliver(stream.subscription, stream.next());
          break;
        case "repeat": {
          // At least once: anything of this life that was said on any connection may come again on this one.
          const told = streams.flatMap((other) => other.told).filter(({ id }) => id.startsWith(project.tag));
          if (told.length > 0) deliver(stream.subscription, told[each.n % told.length]);
          break;
        }
        case "stray": {
          // A change of an earlier life, late on the way.
          const told = streams.flatMap((other) => other.told).filter(({ id }) => !id.startsWith(project.tag));
          const late = told.filter(({ data }) => data.type === "snapshot_changed");
          if (late.length > 0) deliver(stream.subscription, late[each.n % late.length]);
          break;
        }
        case "ghost": {
          const ghost = streams[each.n % streams.length];
          if (ghost && ghost !== stream)
            deliver(ghost.subscription, full(each.n, [], { tag: "ghostghost00", reason: "epoch-changed" }));
          break;
        }
        case "remark":
          deliver(stream.subscription, stream.remark(project.head % 2 === 0));
          break;
        case "fail":
          stream.subscription.callbacks.onError(new Error("drop"));
          break;
        case "look":
          replica.getSnapshot();
          break;
      }
      await vi.advanceTimersByTimeAsync(2);
    }
    for (let silent = 0; silent < 3; silent += 1) {
      for (let frame = streams.at(-1)?.next(); frame; frame = streams.at(-1)?.next()) {
        deliver((streams.at(-1) as Stream).subscription, frame);
        await vi.advanceTimersByTimeAsync(2);
      }
    }
    expect(Object.fromEntries(replica.getSnapshot().byId)).toEqual(
      Object.fromEntries([...project.last].flatMap(([id, { value }]) => (value ? [[id, value]] : []))),
    );
    expect(["live", "stale"]).toContain(replica.status);
    expect(snapshots.open).toBe(1);
  } finally {
    await replica.close();
  }
}

test("P3 P6 a replica equals the plain map, key by key and version by version, in every order of events", async () => {
  await fc.assert(fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 60, size: "max" }), run), {
    numRuns: 400,
  });
});
