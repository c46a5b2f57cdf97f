/** Several services over one NATS: what holds between nodes. */
import { randomUUID } from "node:crypto";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { natsEngine } from "../src/journal/nats/engine.ts";
import { createNatsJournal, type NatsJournalOptions } from "../src/journal/nats/index.ts";
import { beginNewEpoch, inspectNats } from "../src/journal/nats/inspect.ts";
import { createSnapwire, type Snapwire, type SnapwireOptions } from "../src/snapwire.ts";
import { run } from "./helpers/cli-run.ts";
import { HOUR, NOON, type Watcher, watching } from "./helpers/cluster.ts";
import { type NatsFaults, throughFaults } from "./helpers/nats-faults.ts";
import { type NatsServer, NO_NATS_SERVER, natsServer, natsTitle } from "./helpers/nats-server.ts";

const PATIENCE = { timeout: 15_000, interval: 10 };

describe.skipIf(NO_NATS_SERVER)(natsTitle("nodes over NATS"), { timeout: 60_000 }, () => {
  let server: NatsServer;
  const cleanups: (() => Promise<unknown>)[] = [];
  beforeAll(async () => {
    server = await natsServer();
  });
  afterAll(async () => server?.[Symbol.asyncDispose]());
  afterEach(async () => {
    for (const clean of cleanups.splice(0).reverse()) await clean();
  });

  function shared(): NatsJournalOptions {
    const name = randomUUID();
    return { servers: server.url, subjectPrefix: name, stateStream: `s-${name}`, eventsStream: `e-${name}` };
  }

  async function node(
    given: NatsJournalOptions,
    options: SnapwireOptions = {},
    faults?: NatsFaults,
  ): Promise<Snapwire> {
    const journal = faults ? natsEngine(given, throughFaults(faults)) : createNatsJournal(given);
    const live = createSnapwire({ journal, ...options });
    cleanups.push(() => live.stop());
    await live.start();
    return live;
  }

  /** Every node knows the same, and as much as the order has. */
  async function agree(...nodes: readonly Snapwire[]): Promise<void> {
    const [first, ...others] = nodes;
    await vi.waitFor(() => {
      for (const other of others)
        expect(other.workspaces.getByProjectId("p")).toEqual(first?.workspaces.getByProjectId("p"));
      expect(new Set(nodes.map(({ workspaces }) => workspaces.collection.head)).size).toBe(1);
    }, PATIENCE);
  }

  test("two nodes that patch one key at the same time never lose a field of each other", async () => {
    const given = shared();
    const nodes = [await node(given), await node(given), await node(given)];
    await nodes[0]?.workspaces.upsert("w", { projectId: "p" });
    const fields = ["name", "branchName", "prUrl"] as const;
    await Promise.all(
      nodes.map(async ({ workspaces }, index) => {
        const field = fields[index] ?? "name";
        for (let n = 0; n < 40; n += 1) {
          const value = field === "prUrl" ? `https://example.com/pull/${n}` : `${n}`;
          await workspaces.upsert("w", { projectId: "p", [field]: value });
          expect(workspaces.getByWorkspaceId("w")?.[field], "read your own write").toBe(value);
          // Writers without any pause can lose every one of the attempts that a write has.
          await new Promise((resolve) => setTimeout(resolve, 4 * Math.random()));
        }
      }),
    );
    await agree(...nodes);
    expect(nodes[1]?.workspaces.getByWorkspaceId("w")).toMatchObject({
      name: "39",
      branchName: "39",
      prUrl: "https://example.com/pull/39",
    });
  });

  test("a removal on one node and a patch on another end alike everywhere", async () => {
    const given = shared();
    const [one, two] = [await node(given), await node(given)];
    for (let n = 0; n < 30; n += 1) {
      await one.workspaces.upsert(`w${n}`, { projectId: "p" });
      await Promise.allSettled([
        one.workspaces.remove(`w${n}`),
        two.workspaces.upsert(`w${n}`, { projectId: "p", name: "again" }),
      ]);
    }
    await agree(one, two);
  });

  /** A node that hears nothing of what others write until it may. */
  function deaf(): NatsFaults & { deaf: boolean } {
    const faults = {
      deaf: false,
      losesLive: () => faults.deaf,
      losesAnswer: () => false,
      seesNothing: () => faults.deaf,
    };
    return faults;
  }

  test("R8 a position ahead of a node that lags is never answered with older state: it waits, then goes on", async () => {
    const given = shared();
    const faults = deaf();
    const [one, lagging] = [await node(given), await node(given, {}, faults)];
    await one.workspaces.upsert("w", { projectId: "p", name: "old" });
    await agree(one, lagging);
    faults.deaf = true;
    await one.workspaces.upsert("w", { name: "new" });
    const watcher = await watching({ live: one }, "p");
    watcher.take();
    let there: Watcher | undefined;
    const waiting = watching({ live: lagging }, "p", watcher.position).then((begun) => {
      there = begun;
    });
    await vi.waitFor(() => expect(lagging.workspaces.collection.waiting).toBeGreaterThan(0), PATIENCE);
    expect(there).toBeUndefined();
    faults.deaf = false;
    await waiting;
    expect(there?.told()).toEqual([expect.stringMatching(/^\d+\.r resumed until \d+ missed 0$/)]);
    expect(lagging.workspaces.getByWorkspaceId("w")?.name).toBe("new");
  });

  test("R8 and when the node does not get there in time, the client is sent to another one", async () => {
    const given = shared();
    const faults = deaf();
    const [one, lagging] = [await node(given), await node(given, { behindWaitMs: 200 }, faults)];
    faults.deaf = true;
    await one.workspaces.upsert("w", { projectId: "p" });
    const watcher = await watching({ live: one }, "p");
    watcher.take();
    await expect(watching({ live: lagging }, "p", watcher.position)).rejects.toMatchObject({
      reason: "behind",
    });
    faults.deaf = false;
  });

  test("P6 a client goes on at another node, and at one that has just begun, with its deltas alone", async () => {
    const given = shared();
    const one = await node(given);
    for (let n = 0; n < 20; n += 1) await one.workspaces.upsert(`w${n}`, { projectId: "p" });
    const watcher = await watching({ live: one }, "p");
    watcher.take();
    await one.workspaces.upsert("w3", { name: "changed" });
    await one.workspaces.remove("w4");
    const two = await node(given);
    const there = await watching({ live: two }, "p", watcher.position);
    expect(there.told()).toEqual([
      expect.stringMatching(/resumed until \d+ missed 2/),
      expect.stringMatching(/changed w3@/),
      expect.stringMatching(/removed w4/),
    ]);
  });

  test("C4 what one node prunes is below the floor on all, and gone from the stream", async () => {
    const given = shared();
    let now = NOON;
    const options = { now: () => now };
    const [one, two] = [await node(given, options), await node(given, options)];
    for (let n = 0; n < 10; n += 1) await one.workspaces.upsert(`w${n}`, { projectId: "p" });
    const watcher = await watching({ live: one }, "p");
    watcher.take();
    for (let n = 0; n < 9; n += 1) await one.workspaces.remove(`w${n}`);
    await agree(one, two);
    now += HOUR + 1;
    await one.workspaces.collection.prune();
    await agree(one, two);
    const there = await watching({ live: two }, "p", watcher.position);
    expect(there.told()).toEqual([expect.stringMatching(/full trimmed: w9@/)]);
    const three = await node(given, options);
    expect([...three.workspaces.collection.records()].map(([key]) => key)).toEqual(["w9"]);
    expect(three.workspaces.collection.floorOf("p")).toBe(one.workspaces.collection.floorOf("p"));
  });

  test("a key that was pruned can be written again by a node that still knows its removal", async () => {
    const given = shared();
    let now = NOON;
    const options = { now: () => now };
    const [one, two] = [await node(given, options), await node(given, options)];
    await one.workspaces.upsert("w", { projectId: "p", name: "first" });
    await one.workspaces.remove("w");
    await agree(one, two);
    now += HOUR + 1;
    await one.workspaces.collection.prune();
    await two.workspaces.upsert("w", { projectId: "p", name: "second" });
    await agree(one, two);
    expect(one.workspaces.getByWorkspaceId("w")?.name).toBe("second");
  });

  test("10,000 keys are there when the start of a node resolves", async () => {
    const given = shared();
    const one = await node(given);
    const keys = Array.from({ length: 10_000 }, (_, n) => `w${n}`);
    for (let from = 0; from < keys.length; from += 1_000)
      await Promise.all(
        keys.slice(from, from + 1_000).map((key) => one.workspaces.upsert(key, { projectId: "p" })),
      );
    const two = await node(given);
    expect(two.ready()).toBe(true);
    expect(two.workspaces.getByProjectId("p")).toHaveLength(10_000);
    await agree(one, two);
  });

  test("R19 a new epoch that an operator asks for reaches every node and every client", async () => {
    const given = shared();
    const nodes = [await node(given), await node(given)];
    await nodes[0]?.workspaces.upsert("w", { projectId: "p" });
    await agree(...nodes);
    const watchers = await Promise.all(nodes.map((live) => watching({ live }, "p")));
    for (const watcher of watchers) watcher.take();
    await beginNewEpoch(given);
    for (const watcher of watchers)
      await vi.waitFor(() => {
        watcher.take();
        expect(watcher.frames.at(-1)?.data).toMatchObject({ type: "snapshot_full", reason: "epoch-changed" });
      }, PATIENCE);
    await agree(...nodes);
    expect((await nodes[0]?.workspaces.upsert("w", { name: "on" }))?.changed).toBe(true);
  });

  test("a doctor says which server it found, what it is known for, and how the streams are", async () => {
    const given = shared();
    await node(given);
    const report = await inspectNats(given);
    expect(report).toMatchObject({
      version: expect.stringMatching(/^\d+\.\d+\.\d+/),
      clustered: false,
      streams: [
        { name: given.stateStream, found: { replicas: 1, lagging: 0, differences: [] } },
        { name: given.eventsStream, found: { differences: [] } },
      ],
    });
    const url = `${server.url}?prefix=${given.subjectPrefix}&state=${given.stateStream}&events=${given.eventsStream}`;
    const { out } = await run(["doctor", "--journal", url, "--new-epoch"]);
    expect(out).toMatch(/ok +journal +nats-server \d+\.\d+\.\d+, alone: what it loses is lost; /);
    expect(out).toMatch(/ok +epoch +a new one has begun/);
    const { out: away } = await run(["doctor", "--journal", "nats://127.0.0.1:1"]);
    expect(away).toMatch(/problem +journal +NATS cannot be reached at nats:\/\/127\.0\.0\.1:1: /);
  });
});
