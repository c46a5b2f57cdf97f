/**
 * Three NATS servers, three nodes as processes, and clients behind one address, while somebody writes: whatever ends, all
 * replicas end equal to the store, and nobody begins from the start.
 */
import { createTRPCClient, httpLink } from "@trpc/client";
import superjson from "superjson";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import type { SnapshotFrame, TrackedFrame } from "../src/protocol/frames.ts";
import type { SnapwireRouter } from "../src/router/index.ts";
import { bundled } from "./helpers/bundled.ts";
import { type TemporaryFolder, temporaryFolder } from "./helpers/git-repository.ts";
import { type NatsCluster, natsCluster } from "./helpers/nats-cluster.ts";
import { type Balancer, balancer, type FleetNode, fleetNode, fulls } from "./helpers/nats-fleet.ts";
import { NO_NATS_SERVER, natsTitle } from "./helpers/nats-server.ts";
import { stockClient, versionsAfter, watch } from "./helpers/served.ts";

/** Half of them at the first node. */
const CLIENTS = 1_000;
const WORKSPACES = 20;
const PATIENCE = { timeout: 60_000, interval: 50 };
const NATS_PACKAGES = ["lmdb", "@nats-io/transport-node", "@nats-io/jetstream"];

interface Replica {
  readonly frames: readonly TrackedFrame<SnapshotFrame>[];
  readonly errors: readonly unknown[];
}

describe.skipIf(NO_NATS_SERVER)(natsTitle("a cluster"), { timeout: 120_000 }, () => {
  let folder: TemporaryFolder;
  let nats: NatsCluster;
  let nodes: FleetNode[] = [];
  let front: Balancer;
  const replicas: Replica[] = [];
  const closing: (() => unknown)[] = [];
  let writing = true;
  let acknowledged = 0;
  let writer: Promise<void> | undefined;

  const callerOf = (url: string) =>
    createTRPCClient<SnapwireRouter>({ links: [httpLink({ url: `${url}/trpc`, transformer: superjson })] });

  /** Until it is acknowledged, as a source would. */
  async function write(workspaceId: string, name: string): Promise<void> {
    for (;;) {
      try {
        await callerOf(front.url).snapshots.upsert.mutate({ workspaceId, projectId: "p", name });
        acknowledged += 1;
        return;
      } catch {
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    }
  }

  async function writeAll(): Promise<void> {
    for (let n = 0; writing; n += 1) {
      await write(`w${n % WORKSPACES}`, `${n}`);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  /** What a node says now. */
  async function versionsAt({ url }: FleetNode): Promise<Map<string, number>> {
    const { entries } = await callerOf(url).snapshots.byProject.query({ projectId: "p" });
    return new Map(entries.map(({ workspaceId, version }) => [workspaceId, version]));
  }

  /** Writes go through again, then each is written a last time, and everybody comes to know the same. */
  async function expectAllEqual(): Promise<void> {
    const before = acknowledged;
    await vi.waitFor(() => expect(acknowledged).toBeGreaterThan(before + 20), PATIENCE);
    const last = `last ${before}`;
    await Promise.all(Array.from({ length: WORKSPACES }, (_, n) => write(`w${n}`, last)));
    writing = false;
    await writer;
    let versions = new Map<string, number>();
    await vi.waitFor(async () => {
      const all = await Promise.all(nodes.map(versionsAt));
      expect(all[0]?.size).toBe(WORKSPACES);
      for (const one of all) expect(one).toEqual(all[0]);
      versions = all[0] ?? versions;
    }, PATIENCE);
    await vi.waitFor(() => {
      for (const { frames } of replicas) expect(versionsAfter(frames)).toEqual(versions);
    }, PATIENCE);
    for (const { frames, errors } of replicas) {
      expect(errors, "a stock subscription ends with an error").toEqual([]);
      expect(fulls(frames), "P6 only the first is a full").toEqual(["first"]);
    }
    writing = true;
    writer = writeAll();
  }

  beforeAll(async () => {
    folder = temporaryFolder();
    nats = await natsCluster();
    const program = await bundled("test/helpers/nats-node.ts", folder.path, NATS_PACKAGES);
    const journal = { servers: nats.urls, replicas: 3, writeWaitMs: 1_000 };
    nodes = await Promise.all([0, 1, 2].map(() => fleetNode(program, folder.path, journal)));
    await Promise.all(nodes.map((node) => node.start()));
    const [first = 0, ...others] = nodes.map(({ port }) => port);
    front = await balancer([first, first, ...others]);
    for (let n = 0; n < WORKSPACES; n += 1) await write(`w${n}`, "first");
    for (let n = 0; n < CLIENTS; n += 1) {
      const client = stockClient(front.url);
      const replica = watch(client.trpc, "p");
      replicas.push(replica);
      closing.push(() => {
        replica.stop();
        return client.connection.close();
      });
    }
    await vi.waitFor(() => {
      for (const { frames } of replicas) expect(frames.length).toBeGreaterThan(0);
    }, PATIENCE);
    writer = writeAll();
  }, 90_000);

  afterAll(async () => {
    writing = false;
    for (const close of closing) void close();
    await writer;
    await front?.[Symbol.asyncDispose]();
    for (const node of nodes) await node.kill("SIGKILL");
    await nats?.[Symbol.asyncDispose]();
    folder?.[Symbol.dispose]();
  }, 60_000);

  test("P6 P7 a node that is killed with 500 clients takes nothing with it: they go on at another one", async () => {
    const [first] = nodes;
    if (!first) throw new Error("there are three");
    expect(front.connections(first.port)).toBeGreaterThanOrEqual(CLIENTS / 2);
    await first.kill("SIGKILL");
    await first.start();
    await expectAllEqual();
  });

  test("P7 the leader of the stream is killed, and comes back later", async () => {
    const leader = await nats.leaderOf("SNAPWIRE_STATE");
    await leader.kill();
    await expectAllEqual();
    await leader.start();
    await expectAllEqual();
  });

  test("P7 the leader of the stream is frozen, and goes on after another one has taken its place", async () => {
    const leader = await nats.leaderOf("SNAPWIRE_STATE");
    await leader.freeze();
    await vi.waitFor(async () => {
      expect((await nats.leaderOf("SNAPWIRE_STATE")).port).not.toBe(leader.port);
    }, PATIENCE);
    await expectAllEqual(); // while it is frozen: the others still hand it what they could answer themselves
    leader.thaw();
    await expectAllEqual();
  });

  test("P14 each node is stopped and started again, one after the other, under 1,000 clients", async () => {
    for (const node of nodes) {
      expect(await node.kill("SIGTERM")).toBe(0);
      await node.start();
    }
    await vi.waitFor(() => {
      const connections = nodes.map(({ port }) => front.connections(port));
      expect(connections.reduce((sum, count) => sum + count, 0)).toBeGreaterThanOrEqual(CLIENTS);
    }, PATIENCE);
    await expectAllEqual();
  });
});
