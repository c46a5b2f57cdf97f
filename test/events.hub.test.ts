/** The hub: what a subscriber is told, where it stands, and what is stored. */
import { describe, expect, test } from "vitest";
import type { EventHub } from "../src/events/hub.ts";
import { formatPosition } from "../src/protocol/position.ts";
import { JournalFaults, withFaults } from "./helpers/faulty-journal.ts";
import { HOUR, type HubBench, hubBench, hubOrder, listening, little } from "./helpers/hub-watchers.ts";

/** Publishes one event after the other; each is called like its number. */
async function publish({ hub }: HubBench, from: number, to: number, about = {}): Promise<void> {
  for (let n = from; n <= to; n += 1) await hub.publish(little(`${n}`, about));
}

const P = { projectId: "p" };

/** Trims what is too much now; a trimming that is under way already began with less. */
async function trim({ log }: EventHub): Promise<void> {
  await log.trim();
  await log.trim();
}

describe("a subscription", () => {
  test("P13 begins with connection:status where it stands, and is told everything after that turn", async () => {
    const bench = await hubBench();
    const { hub } = bench;
    await publish(bench, 1, 3, P);
    const watcher = await listening(hub, P);
    await publish(bench, 4, 5, P); // before the first frame was taken
    const [status, ...events] = watcher.take();
    expect(status?.id).toBe(formatPosition(hub.log.tagOf(), 3, "s"));
    expect(status?.data).toEqual({
      type: "connection:status",
      payload: {
        status: "connected",
        subscriptions: ["project:p"],
        head: formatPosition(hub.log.tagOf(), 5),
      },
      timestamp: "2026-08-01T12:00:00.000Z",
    });
    expect(events.map(({ id }) => id)).toEqual([4, 5].map((n) => formatPosition(hub.log.tagOf(), n)));
    expect(watcher.told()).toEqual([]);
  });

  test("P13 goes on from a position: the status stands there, then what was missed, once", async () => {
    const bench = await hubBench();
    await publish(bench, 1, 5, P);
    const at = formatPosition(bench.hub.log.tagOf(), 2);
    const resumed = await listening(bench.hub, P, at);
    expect(resumed.told(1)).toEqual(["2.s connected"]);
    const again = await listening(bench.hub, P, resumed.position); // dropped after the status
    expect(again.told(3)).toEqual(["2.s connected", "3 3", "4 4"]);
    expect((await listening(bench.hub, P, again.position)).told()).toEqual(["4.s connected", "5 5"]);
  });

  test("P13 is the same for every target set: a position of one holds for another", async () => {
    const bench = await hubBench();
    const { hub } = bench;
    await hub.publish(little("1", { projectId: "p", workspaceId: "w" }));
    await hub.publish(little("2", { projectId: "q" }));
    await hub.publish(little("3", { projectId: "p" }));
    const one = await listening(hub, { workspaceId: "w" }, formatPosition(hub.log.tagOf(), 0));
    expect(one.told()).toEqual(["0.s connected", "1 1"]);
    expect((await listening(hub, { scope: "all" }, one.position)).told()).toEqual([
      "1.s connected",
      "2 2",
      "3 3",
    ]);
  });

  test("is a union: one copy of each event, however many targets match", async () => {
    const { hub } = await hubBench();
    const targets = [{ scope: "all" }, { projectId: "p" }, { workspaceId: "w" }, { sessionId: "s" }] as const;
    const union = await listening(hub, { targets });
    const two = await listening(hub, { targets: targets.slice(2) });
    await hub.publish(little("a", { projectId: "p", workspaceId: "w", sessionId: "s" }));
    await hub.publish(little("b", { sessionId: "s" }));
    await hub.publish(little("c", { workspaceId: "other" }));
    expect(union.told()).toEqual(["0.s connected", "1 a", "2 b", "3 c"]);
    expect(two.told()).toEqual(["0.s connected", "1 a", "2 b"]);
    expect(union.frames[0]?.data.payload).toMatchObject({
      subscriptions: ["all", "project:p", "session:s", "workspace:w"],
    });
  });

  test("hears only the types that it asks for", async () => {
    const { hub } = await hubBench();
    const watcher = await listening(hub, { scope: "all" }, undefined, ["project:unregistered"]);
    await hub.publish(little("a", P));
    await hub.publish({ id: "b", type: "project:unregistered", payload: P });
    expect(watcher.told()).toEqual(["0.s connected", "2 b"]);
    await expect(listening(hub, P, undefined, ["project:gone"])).rejects.toMatchObject({
      reason: "invalid-input",
      message: expect.stringContaining("project:registered, project:unregistered"),
    });
  });

  test("of a workspace shows only what belongs to the project that it was authorised for", async () => {
    const { hub } = await hubBench();
    const scope = hub.scopeOfAuthorised([{ of: "workspace", id: "w", within: "p" }]);
    const subscription = hub.feed.join(scope);
    await hub.feed.begin(subscription, null);
    subscription.take();
    await hub.publish(little("a", { projectId: "q", workspaceId: "w" }));
    await hub.publish(little("b", { workspaceId: "w" }));
    await hub.publish(little("c", { projectId: "p", workspaceId: "w" }));
    expect(subscription.take()?.data).toMatchObject({ id: "c" });
    expect(subscription.take()).toBeUndefined();
  });

  test("puts an event where its workspace or session belongs when it was published", async () => {
    const { hub, projects } = await hubBench();
    projects.set("w", "p").set("s", "q");
    const watcher = await listening(hub, { targets: [{ projectId: "p" }, { projectId: "q" }] });
    await hub.publish(little("a", { workspaceId: "w" }));
    projects.set("w", "elsewhere");
    await hub.publish(little("b", { sessionId: "s" }));
    expect(watcher.take().slice(1)).toMatchObject([
      { data: { id: "a", projectId: "p", workspaceId: "w" } },
      { data: { id: "b", projectId: "q", sessionId: "s" } },
    ]);
  });

  test("R8 hears that the engine went away, and that it came back, where it stands", async () => {
    const faults = new JournalFaults();
    const journal = await hubOrder();
    await journal.open();
    const { hub } = await hubBench({ journal: withFaults(journal, faults) });
    const watcher = await listening(hub, P);
    expect(watcher.told()).toEqual(["0.s connected"]);
    faults.away("no route");
    expect(watcher.told()).toEqual(["0.s stale no route"]);
    const late = await listening(hub, P);
    expect(late.told()).toEqual(["0.s connected", "0.s stale no route"]);
    faults.back();
    expect(watcher.told()).toEqual(["0.s connected"]);
    expect(watcher.told()).toEqual([]);
  });

  test("that is ended says why, after its status, and nothing more", async () => {
    const bench = await hubBench();
    const watcher = await listening(bench.hub, P);
    watcher.subscription.end("revoked");
    await publish(bench, 1, 1, P);
    expect(watcher.told()).toEqual(["0.s connected", "0.e ended revoked"]);
    expect(watcher.subscription.closed).toBe(true);
  });
});

describe("a gap", () => {
  const small = { eventsPerProject: 3 };

  test("R12 stands at the floor and names what is gone; what is retained follows", async () => {
    const bench = await hubBench(small);
    await publish(bench, 1, 6, P);
    await trim(bench.hub);
    const late = await listening(bench.hub, P, formatPosition(bench.hub.log.tagOf(), 1));
    expect(late.told()).toEqual(["1.s connected", "3.g gap 1-3!", "4 4", "5 5", "6 6"]);
    expect((await listening(bench.hub, P, late.frames[1]?.id)).told()).toEqual([
      "3.s connected",
      "4 4",
      "5 5",
      "6 6",
    ]);
  });

  test("R11 is told in mid-stream too, once, to whoever is behind the floor; to nobody else", async () => {
    const bench = await hubBench(small);
    const slow = await listening(bench.hub, P);
    const quick = await listening(bench.hub, P);
    slow.told(1);
    for (let n = 1; n <= 10; n += 1) {
      await publish(bench, n, n, P);
      quick.told();
      await trim(bench.hub);
    }
    expect(quick.told()).toEqual([]);
    expect(quick.frames).toHaveLength(11);
    expect(slow.told()).toEqual(["7.g gap 0-7!", "8 8", "9 9", "10 10"]);
  });

  test("R12 is not told for what was trimmed beside the subscription, or of types that it does not ask for", async () => {
    const bench = await hubBench(small);
    const { hub } = bench;
    const q = await listening(hub, { projectId: "q" });
    const w = await listening(hub, { workspaceId: "w" });
    const typed = await listening(hub, P, undefined, ["project:unregistered"]);
    for (const watcher of [q, w, typed]) watcher.told();
    await hub.publish(little("q", { projectId: "q" }));
    await publish(bench, 1, 20, P);
    await trim(hub);
    expect(q.told()).toEqual(["1 q"]);
    expect(w.told()).toEqual([]);
    expect(typed.told()).toEqual([]);
    const at = formatPosition(hub.log.tagOf(), 1);
    expect((await listening(hub, { projectId: "q" }, at)).told()).toEqual(["1.s connected"]);
    expect((await listening(hub, P, at, ["project:unregistered"])).told()).toEqual(["1.s connected"]);
  });

  test("R12 is not certain for a workspace that nobody listened to meanwhile", async () => {
    const bench = await hubBench(small);
    bench.projects.set("w", "p");
    await publish(bench, 1, 10, P);
    await trim(bench.hub);
    const at = formatPosition(bench.hub.log.tagOf(), 2);
    const late = await listening(bench.hub, { workspaceId: "w" }, at);
    expect(late.told()).toEqual(["2.s connected", "7.g gap 2-7?"]);
  });

  test("R7 answers a position of another order, an unreadable one and one from a future with what is retained", async () => {
    const bench = await hubBench(small);
    await publish(bench, 1, 5, P);
    await trim(bench.hub);
    const foreign = formatPosition("abcdefghijkl", 900, "s");
    const watcher = await listening(bench.hub, P, foreign);
    const [status, gap] = watcher.take(2);
    expect(status?.id).toBe(foreign); // a drop before the gap comes back with the same
    expect(gap?.data.payload).toEqual({
      from: foreign,
      to: formatPosition(bench.hub.log.tagOf(), 2),
      certain: false,
    });
    expect(watcher.told()).toEqual(["3 3", "4 4", "5 5"]);
    expect((await listening(bench.hub, P, "rubbish")).told()).toEqual([
      "0.s connected",
      "2.g gap null-2?",
      "3 3",
      "4 4",
      "5 5",
    ]);
    const ahead = await listening(bench.hub, P, formatPosition(bench.hub.log.tagOf(), 77));
    expect(ahead.told()).toEqual(["77.s connected", "2.g gap 77-2?", "3 3", "4 4", "5 5"]);
  });

  test("R19 is told in mid-stream when another order takes the place of this one", async () => {
    const faults = new JournalFaults();
    const journal = await hubOrder();
    await journal.open();
    const { hub } = await hubBench({ journal: withFaults(journal, faults) });
    const watcher = await listening(hub, P);
    await hub.publish(little("a", P));
    expect(watcher.told()).toEqual(["0.s connected", "1 a"]);
    const before = watcher.position;
    const other = await hubOrder();
    await other.open();
    await faults.replaceOrder(other);
    await hub.publish(little("a", P)); // the id is free in this order
    const [gap] = watcher.take(1);
    expect(gap?.data.payload).toEqual({
      from: before,
      to: formatPosition(hub.log.tagOf(), 0),
      certain: false,
    });
    expect(watcher.told()).toEqual(["1 a"]);
  });
});

describe("retention", () => {
  test("keeps the newest by count, per project", async () => {
    const bench = await hubBench({ eventsPerProject: 100 });
    await publish(bench, 1, 150, P);
    await bench.hub.publish(little("q", { projectId: "q" }));
    await bench.hub.publish(little("none"));
    await trim(bench.hub);
    expect(bench.hub.recent({ projectId: "p", limit: 1_000 }).events.map(({ id }) => id)).toEqual(
      Array.from({ length: 100 }, (_, n) => `${n + 51}`),
    );
    expect(bench.hub.log.size).toBe(102);
  });

  test("trims at once when a project is a tenth over, without a timer", async () => {
    const bench = await hubBench({ eventsPerProject: 100 });
    await publish(bench, 1, 110, P);
    expect(bench.hub.log.size).toBe(110);
    await publish(bench, 111, 111, P);
    await trim(bench.hub);
    expect(bench.hub.log.size).toBe(100);
  });

  test("keeps by age, by the time of the commit and not by what an event says", async () => {
    const bench = await hubBench();
    await bench.hub.publish({ ...little("old", P), timestamp: "2001-01-01T00:00:00Z" });
    bench.time.now += 23 * HOUR;
    await bench.hub.publish(little("new", P));
    await trim(bench.hub);
    expect(bench.hub.log.size).toBe(2);
    bench.time.now += HOUR;
    await trim(bench.hub);
    expect(bench.hub.recent(P).events.map(({ id }) => id)).toEqual(["new"]);
  });

  test("keeps so many and so much over all projects", async () => {
    const bench = await hubBench({ eventsInAll: 5 });
    for (let n = 1; n <= 8; n += 1) await publish(bench, n, n, { projectId: `p${n % 3}` });
    await trim(bench.hub);
    expect(bench.hub.recent({ scope: "all" }).events.map(({ id }) => id)).toEqual(["4", "5", "6", "7", "8"]);
    const bytes = await hubBench({ eventBytesInAll: 3 * 1_024 });
    for (let n = 1; n <= 5; n += 1)
      await bytes.hub.publish({
        ...little(`${n}`),
        payload: { deviceId: "d", data: { x: "x".repeat(600) } },
      });
    await trim(bytes.hub);
    expect(bytes.hub.log.size).toBe(2);
    expect(bytes.hub.log.bytes).toBeLessThan(3 * 1_024);
  });

  test("R5 raises the floors before anything is deleted, and says so to whoever starts later", async () => {
    const journal = await hubOrder();
    const bench = await hubBench({ journal, eventsPerProject: 2 });
    await publish(bench, 1, 5, P);
    await bench.hub.publish({ id: "6", type: "project:unregistered", payload: P });
    await trim(bench.hub);
    await bench.hub.close();
    const floors = new Map<string | null, number>();
    const records: string[] = [];
    await journal.open();
    await journal.log("events").follow({
      reset: () => undefined,
      record: ({ key }) => void records.push(key),
      floor: (name, floor) => void floors.set(name, floor),
      advance: () => undefined,
      status: () => undefined,
    });
    expect(floors).toEqual(new Map([['["p","system.heartbeat"]', 4]]));
    expect(records).toEqual(["5", "6"]);
    const next = await hubBench({ journal });
    const late = await listening(next.hub, P, formatPosition(next.hub.log.tagOf(), 2));
    expect(late.told()).toEqual(["2.s connected", "4.g gap 2-4!", "5 5", "6 6"]);
  });

  test("R5 a crash between floor and deletion loses nothing that counts, and the next trim deletes", async () => {
    const faults = new JournalFaults();
    const journal = await hubOrder();
    await journal.open();
    const bench = await hubBench({ journal: withFaults(journal, faults) });
    await publish(bench, 1, 4, P);
    await journal.log("events").raiseFloor('["p","system.heartbeat"]', 2);
    const next = await hubBench({ journal: withFaults(journal, new JournalFaults()), eventsPerProject: 2 });
    expect(next.hub.log.size).toBe(2);
    // Its id is known still: the record is there.
    expect(await next.hub.publish(little("1", P))).toMatchObject({ duplicate: true });
    await trim(next.hub);
    expect(await next.hub.publish(little("1", P))).toMatchObject({ duplicate: false });
  });
});

test.each(["eventsPerProject", "eventsForMs", "eventsInAll", "eventBytesInAll"])(
  "%s that keeps nothing is refused",
  async (option) => {
    for (const value of [0, -1, Number.NaN])
      await expect(hubBench({ [option]: value })).rejects.toMatchObject({ reason: "invalid-input" });
  },
);

describe("recent", () => {
  test("answers the newest of a target, oldest first, and a position without a hole and without a double", async () => {
    const bench = await hubBench();
    await publish(bench, 1, 5, P);
    await publish(bench, 6, 6, { projectId: "q" });
    const { position, events } = bench.hub.recent({ projectId: "p", limit: 2 });
    expect(events.map(({ id }) => id)).toEqual(["4", "5"]);
    await publish(bench, 7, 8, P);
    expect((await listening(bench.hub, P, position)).told()).toEqual(["6.s connected", "7 7", "8 8"]);
  });
});
