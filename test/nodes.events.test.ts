/** Events between several nodes that share an order on a real server: told once on each, resumed on any, trimmed for all. */
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import type { EventHub, EventTargets } from "../src/events/hub.ts";
import { parsePosition } from "../src/protocol/position.ts";
import { type EventWatcher, listening, little } from "./helpers/hub-watchers.ts";
import { type NatsServer, NO_NATS_SERVER, natsServer, natsTitle } from "./helpers/nats-server.ts";
import { type NatsNode, natsNodes, PATIENCE, wireTo } from "./helpers/nodes-nats.ts";

const IN_P: EventTargets = { projectId: "p" };

const soon = (fact: () => void): Promise<void> => vi.waitFor(fact, PATIENCE);
const publish = ({ live }: NatsNode, id: string, projectId = "p") =>
  live.events.publish(little(id, { projectId }));
/** The ids of the events that it was told, in their order; any other frame by its type. */
const told = ({ frames }: EventWatcher): string[] =>
  frames.map(({ data }) =>
    "id" in data ? data.id : data.type === "gap" ? `gap ${data.payload.certain}` : data.type,
  );
const from = (n: number, to: number): string[] => Array.from({ length: to - n }, (_, at) => `e${n + at}`);

/** Takes until the fact is there. */
async function taking(watcher: EventWatcher, fact: () => void): Promise<void> {
  await soon(() => {
    watcher.take();
    fact();
  });
}

/** One that is under way decided earlier: the next one takes what came since. */
async function trimmed({ live }: NatsNode): Promise<void> {
  await live.events.log.trim();
  await live.events.log.trim();
}

/** Every hub has applied what the others have. */
async function agree(...hubs: readonly EventHub[]): Promise<void> {
  await soon(() => {
    expect(new Set(hubs.map(({ log }) => log.head)).size).toBe(1);
    expect(new Set(hubs.map(({ log }) => log.size)).size).toBe(1);
  });
}

describe.skipIf(NO_NATS_SERVER)(natsTitle("events of several nodes over NATS"), { timeout: 60_000 }, () => {
  let server: NatsServer;
  beforeAll(async () => {
    server = await natsServer();
  });
  afterAll(async () => server?.[Symbol.asyncDispose]());

  test("P13 what is published at any node reaches the subscribers of every node, once, in one order", async () => {
    await using nodes = natsNodes(server);
    const [a, b] = [await nodes.node(), await nodes.node()];
    const watchers = await Promise.all([a, b, b].map(({ live }) => listening(live.events, IN_P)));
    const other = await listening(b.live.events, { projectId: "q" });
    // At both at once: which of the two comes first is the order's to say, and it says the same to everybody.
    await Promise.all(from(0, 60).map((id, n) => publish(n % 2 === 0 ? a : b, id)));
    await publish(a, "other", "q");
    const orders: string[][] = [];
    for (const watcher of watchers) {
      await taking(watcher, () => expect(told(watcher)).toHaveLength(61));
      orders.push(told(watcher).slice(1));
    }
    expect(orders[0]?.toSorted()).toEqual(from(0, 60).toSorted());
    expect(orders[1]).toEqual(orders[0]);
    expect(orders[2]).toEqual(orders[0]);
    for (const { frames } of watchers)
      expect(frames.map(({ id }) => id)).toEqual(watchers[0]?.frames.map(({ id }) => id));
    await taking(other, () => expect(told(other)).toEqual(["connection:status", "other"]));
  });

  test("E1 one event that is published at several nodes at once is one event", async () => {
    await using nodes = natsNodes(server);
    const all = [await nodes.node(), await nodes.node(), await nodes.node()];
    const [first] = all as [NatsNode];
    const watcher = await listening(first.live.events, IN_P);
    for (const id of from(0, 10)) {
      const answers = await Promise.all(all.map((node) => publish(node, id)));
      expect(answers.filter(({ duplicate }) => !duplicate)).toHaveLength(1);
      expect(new Set(answers.map(({ position }) => position)).size).toBe(1);
    }
    await taking(watcher, () => expect(told(watcher)).toEqual(["connection:status", ...from(0, 10)]));
  });

  test("P6 a client goes on at another node with its position, and at one that has just begun, without a gap", async () => {
    await using nodes = natsNodes(server);
    const [a, b] = [await nodes.node(), await nodes.node()];
    let watcher = await listening(a.live.events, IN_P);
    let next = 0;
    const seen: string[] = [];
    for (let round = 0; round < 6; round += 1) {
      const until = next + 5;
      for (const id of from(next, until)) await publish(round % 2 === 0 ? b : a, id);
      // It leaves in the middle of what there is.
      await taking(watcher, () => expect(told(watcher).length).toBeGreaterThan(1));
      watcher.subscription.close();
      seen.push(...told(watcher));
      next = until;
      const there = round === 4 ? await nodes.node() : round % 2 === 0 ? b : a;
      watcher = await listening(there.live.events, IN_P, watcher.position);
    }
    await publish(a, "last");
    await taking(watcher, () => expect(told(watcher).at(-1)).toBe("last"));
    seen.push(...told(watcher));
    expect(seen.filter((one) => one !== "connection:status")).toEqual([...from(0, next), "last"]);
  });

  test("R8 a node that was cut off answers no position that is ahead of it, and then goes on without a gap", async () => {
    await using wire = await wireTo(server.port);
    await using nodes = natsNodes(server);
    const a = await nodes.node();
    const b = await nodes.node({}, { servers: wire.url });
    const here = await listening(b.live.events, IN_P);
    const moving = await listening(a.live.events, IN_P);
    await publish(a, "e0");
    await taking(here, () => expect(told(here)).toEqual(["connection:status", "e0"]));
    wire.cut();
    await soon(() => expect(b.live.ready()).toBe(false));
    for (const id of from(1, 40)) await publish(a, id);
    await taking(moving, () => expect(told(moving)).toHaveLength(41));
    const subscription = b.live.events.feed.join(b.live.events.scopeOf(IN_P));
    const begun = b.live.events.feed.begin(subscription, moving.position);
    expect(subscription.take()).toBeUndefined();
    wire.mend();
    await begun;
    await publish(a, "e40");
    await soon(() => expect(subscription.pending).toBe(true));
    const taken: string[] = [];
    await soon(() => {
      for (let frame = subscription.take(); frame; frame = subscription.take())
        taken.push("id" in frame.data ? frame.data.id : frame.data.type);
      expect(taken.at(-1)).toBe("e40");
    });
    expect(taken.filter((one) => one !== "connection:status")).toEqual(["e40"]);
    await taking(here, () =>
      expect(told(here).filter((one) => one !== "connection:status")).toEqual(from(0, 41)),
    );
  });

  test("R5 what one node trims is gone on all of them: a cursor below it is told of the gap, with the same floor", async () => {
    await using nodes = natsNodes(server);
    const events = { eventsPerProject: 10 };
    const [a, b] = [await nodes.node({ events }), await nodes.node({ events: { eventsPerProject: 1_000 } })];
    const early = await listening(b.live.events, IN_P);
    const quiet = await listening(b.live.events, { projectId: "q" });
    await publish(a, "quiet", "q");
    await publish(a, "e0");
    await taking(early, () => expect(told(early)).toContain("e0"));
    await taking(quiet, () => expect(told(quiet)).toContain("quiet"));
    early.subscription.close();
    for (const id of from(1, 40)) await publish(a, id);
    await trimmed(a);
    await agree(a.live.events, b.live.events);
    const scope = a.live.events.scopeOf(IN_P);
    const floor = a.live.events.log.floorOf(scope);
    expect(floor).toBeGreaterThan(0);
    await soon(() => expect(b.live.events.log.floorOf(scope)).toBe(floor));
    expect(b.live.events.recent(IN_P).events.map(({ id }) => id)).toEqual(from(30, 40));

    const c = await nodes.node({ events });
    expect(c.live.events.log.floorOf(scope), "a node that begins finds it").toBe(floor);
    for (const node of [a, b, c]) {
      const late = await listening(node.live.events, IN_P, early.position);
      late.take();
      expect(told(late).filter((one) => one !== "connection:status")).toEqual(["gap true", ...from(30, 40)]);
      const gap = late.frames.find(({ data }) => data.type === "gap");
      expect(parsePosition(gap?.id)?.sequence).toBe(floor);
    }
    // Nothing of the quiet project is gone.
    const still = await listening(c.live.events, { projectId: "q" }, quiet.position);
    await publish(b, "quiet-2", "q");
    await taking(still, () => expect(told(still)).toEqual(["connection:status", "quiet-2"]));
  });

  test("R5 who listens at another node while it is trimmed loses nothing that was there when it was told", async () => {
    await using nodes = natsNodes(server);
    const [a, b] = [await nodes.node({ events: { eventsPerProject: 5 } }), await nodes.node()];
    const watcher = await listening(b.live.events, IN_P);
    for (const id of from(0, 60)) {
      await publish(a, id);
      // It keeps up with every one of them, while the other node trims what it has seen.
      await taking(watcher, () => expect(told(watcher).at(-1)).toBe(id));
    }
    await trimmed(a);
    await agree(a.live.events, b.live.events);
    watcher.take();
    expect(told(watcher)).toEqual(["connection:status", ...from(0, 60)]);
    expect(b.live.events.log.size).toBe(5);
  });

  test("an event whose id was trimmed at one node is a new event at every other one", async () => {
    await using nodes = natsNodes(server);
    const [a, b] = [await nodes.node({ events: { eventsPerProject: 1 } }), await nodes.node()];
    await publish(a, "again");
    await publish(a, "newer");
    await trimmed(a);
    expect(await publish(b, "again")).toMatchObject({ duplicate: false });
    await agree(a.live.events, b.live.events);
    expect(await publish(a, "again")).toMatchObject({ duplicate: true });
  });
});
