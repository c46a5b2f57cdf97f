/** Devices on several nodes that share an order on a real server: what holds of a lane, a lease and presence between them. */
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { Device } from "./helpers/agents.ts";
import { type NatsServer, NO_NATS_SERVER, natsServer, natsTitle } from "./helpers/nats-server.ts";
import { type NatsNode, natsNodes, PATIENCE, wireTo } from "./helpers/nodes-nats.ts";
import { reasonFrom } from "./helpers/store-parts.ts";

const D = "desk";
/** A node that says nothing for so long is gone; the others say something much more often. */
const WATCHFUL = { agents: { heartbeatEveryMs: 250, silentAfterMs: 2_500 } };

const soon = (fact: () => void): Promise<void> => vi.waitFor(fact, PATIENCE);
const lines = ({ live }: NatsNode) =>
  live.agents.list().map(({ deviceId, online: on, lease }) => [deviceId, on, lease]);
const send = ({ live }: NatsNode, text: string, more: { waitMs?: number; clientKey?: string } = {}) =>
  live.agents.send({ deviceId: D, text, waitMs: 0, ...more });
const device = async ({ live }: NatsNode, acks = false, deviceId = D): Promise<Device> =>
  new Device(await live.agents.connect({ deviceId }), { acks });

describe.skipIf(NO_NATS_SERVER)(natsTitle("devices of several nodes over NATS"), { timeout: 60_000 }, () => {
  let server: NatsServer;
  beforeAll(async () => {
    server = await natsServer();
  });
  afterAll(async () => server?.[Symbol.asyncDispose]());

  test("P12 what is sent at any node reaches the device wherever it is, in the order of acceptance, acknowledged", async () => {
    await using nodes = natsNodes(server);
    const [a, b] = [await nodes.node(), await nodes.node()];
    const texts = Array.from({ length: 12 }, (_, n) => `${n}`);
    for (const text of texts.slice(0, 6)) await send(Number(text) % 2 === 0 ? a : b, text);
    const at = await device(b, true);
    for (const text of texts.slice(6)) await send(Number(text) % 2 === 0 ? a : b, text);
    const last = await send(a, "last", { waitMs: 30_000 });
    expect(last.status, "the sender at A hears of the ack at B").toBe("delivered");
    expect(at.texts).toEqual([...texts, "last"].map((text) => `${text}@1`));
    for (const node of [a, b])
      await soon(() =>
        expect(node.live.agents.stats()).toMatchObject({ waiting: 0, inFlight: 0, settled: 13 }),
      );
  });

  test("P12 a device that moves to another node takes its lease along: the old one settles nothing, and its late end changes nothing", async () => {
    await using nodes = natsNodes(server);
    const [a, b] = [await nodes.node(), await nodes.node()];
    const old = await device(b);
    const { messageId } = await send(a, "x");
    await send(a, "y");
    await soon(() => expect(old.texts).toEqual(["x@1"]));
    await soon(() => expect(lines(a)).toEqual([[D, true, old.inbox.lease]]));
    expect(await reasonFrom(a.live.agents.connect({ deviceId: D, policy: "reject" }))).toBe(
      "duplicate-connection",
    );

    const young = await device(a);
    expect(young.inbox.lease).toBeGreaterThan(old.inbox.lease);
    await soon(() => expect(young.texts).toEqual(["x@2"]));
    expect(young.last?.id).toBe(messageId);
    for (const node of [a, b])
      expect(await node.live.agents.ack({ id: messageId, lease: old.inbox.lease })).toEqual({
        accepted: false,
        late: false,
      });
    await old.over;
    expect(old.failedWith).toBe("duplicate-connection");
    await old.inbox.close();
    // An ack may come in at any node.
    expect(await b.live.agents.ack({ id: messageId, lease: young.inbox.lease })).toMatchObject({
      accepted: true,
    });
    await soon(() => expect(young.texts).toEqual(["x@2", "y@1"]));
    await young.ackLast();
    for (const node of [a, b]) await soon(() => expect(lines(node)).toEqual([[D, true, young.inbox.lease]]));
    expect(old.texts).toEqual(["x@1"]);
  });

  test("P12 of devices that connect to all nodes at once one holds the lease in the end, on every node the same", async () => {
    await using nodes = natsNodes(server);
    const all = [await nodes.node(), await nodes.node(), await nodes.node()];
    const opened: Device[] = [];
    await Promise.all(
      all.flatMap((node) =>
        [1, 2].map(async () => {
          const inbox = await node.live.agents.connect({ deviceId: D }).catch(() => undefined);
          if (inbox) opened.push(new Device(inbox, { acks: true }));
        }),
      ),
    );
    const newest = Math.max(...opened.map(({ inbox }) => inbox.lease));
    for (const node of all) await soon(() => expect(lines(node)).toEqual([[D, true, newest]]));
    await soon(() =>
      expect(opened.filter(({ isOver }) => !isOver).map(({ inbox }) => inbox.lease)).toEqual([newest]),
    );
    for (const node of all)
      expect(await send(node, "x", { waitMs: 20_000 })).toMatchObject({ status: "delivered" });
    expect(opened.flatMap(({ texts }) => texts)).toEqual(["x@1", "x@1", "x@1"]);
  });

  test("P12 of a node that died without a word the device comes to another one, and gets first what it has not acknowledged", async () => {
    await using nodes = natsNodes(server);
    const [a, b] = [await nodes.node(), await nodes.node()];
    const lost = await device(b);
    const ids: string[] = [];
    for (const text of ["x", "y", "z"]) ids.push((await send(a, text)).messageId);
    await soon(() => expect(lost.texts).toEqual(["x@1"]));
    await lost.ackLast();
    await soon(() => expect(lost.texts).toEqual(["x@1", "y@1"]));
    await b.die();
    expect(await reasonFrom(lost.ackLast())).toBe("unavailable");
    const again = await device(a, true);
    ids.push((await send(a, "after", { waitMs: 20_000 })).messageId);
    expect(again.texts).toEqual(["y@2", "z@1", "after@1"]);
    expect(again.messages.map(({ id }) => id)).toEqual(ids.slice(1));
    expect(lines(a)).toEqual([[D, true, again.inbox.lease]]);
  });

  test("the devices of a node that falls silent are offline at the others, and a device that was not there before may come", async () => {
    await using nodes = natsNodes(server);
    const [a, b] = [await nodes.node(WATCHFUL), await nodes.node(WATCHFUL)];
    const here = await device(a, false, "table");
    const lost = await device(b);
    await soon(() => expect(a.live.agents.devices()).toEqual([D, "table"]));
    const sent = send(a, "x", { waitMs: 30_000 });
    await soon(() => expect(lost.texts).toEqual(["x@1"]));
    await b.die();
    await soon(() => expect(a.live.agents.devices()).toEqual(["table"]));
    expect(await sent, "the sender is not left waiting").toMatchObject({ status: "queued", position: 1 });
    const again = new Device(await a.live.agents.connect({ deviceId: D, policy: "reject" }), { acks: true });
    await soon(() => expect(again.texts).toEqual(["x@2"]));
    expect(here.isOver).toBe(false);
  });

  test("P12 a node that was cut off and comes back finds its lease gone: it hands over nothing, and settles nothing", async () => {
    await using wire = await wireTo(server.port);
    await using nodes = natsNodes(server);
    const a = await nodes.node();
    const b = await nodes.node({}, { servers: wire.url });
    const old = await device(b);
    const { messageId } = await send(a, "x");
    await send(a, "y");
    await soon(() => expect(old.texts).toEqual(["x@1"]));
    wire.cut();
    await soon(() => expect(b.live.ready()).toBe(false));
    expect(await reasonFrom(old.ackLast())).toBe("unavailable");
    const young = await device(a);
    await soon(() => expect(young.texts).toEqual(["x@2"]));
    expect(old.isOver, "it cannot know yet").toBe(false);
    wire.mend();
    await old.over;
    expect(old.failedWith).toBe("duplicate-connection");
    expect(await b.live.agents.ack({ id: messageId, lease: old.inbox.lease })).toMatchObject({
      accepted: false,
    });
    expect(await young.ackLast()).toMatchObject({ accepted: true });
    await soon(() => expect(young.texts).toEqual(["x@2", "y@1"]));
    for (const node of [a, b]) await soon(() => expect(lines(node)).toEqual([[D, true, young.inbox.lease]]));
    expect(old.texts).toEqual(["x@1"]);
  });

  test("a node that was taken for gone and comes back serves its device on, under the same lease", async () => {
    await using wire = await wireTo(server.port);
    await using nodes = natsNodes(server);
    const a = await nodes.node(WATCHFUL);
    const b = await nodes.node(WATCHFUL, { servers: wire.url });
    const at = await device(b, true);
    await soon(() => expect(a.live.agents.devices()).toEqual([D]));
    wire.cut();
    await soon(() => expect(a.live.agents.devices()).toEqual([]));
    await send(a, "x");
    wire.mend();
    await soon(() => expect(at.texts).toEqual(["x@1"]));
    for (const node of [a, b]) await soon(() => expect(lines(node)).toEqual([[D, true, at.inbox.lease]]));
    expect(at.isOver).toBe(false);
  });

  test("P12 one client key, sent to all nodes at once, is one message", async () => {
    await using nodes = natsNodes(server);
    const all = [await nodes.node(), await nodes.node(), await nodes.node()];
    const [first] = all as [NatsNode];
    const keys = Array.from({ length: 8 }, (_, n) => `k${n}`);
    const ids = await Promise.all(
      keys.map(async (clientKey) => {
        const sent = await Promise.all(all.map((node) => send(node, clientKey, { clientKey })));
        expect(new Set(sent.map(({ messageId }) => messageId)).size).toBe(1);
        return sent[0]?.messageId;
      }),
    );
    expect(new Set(ids).size).toBe(keys.length);
    const at = await device(first, true);
    await soon(() =>
      expect(first.live.agents.stats()).toMatchObject({ waiting: 0, inFlight: 0, settled: keys.length }),
    );
    expect(at.texts.toSorted()).toEqual(keys.map((key) => `${key}@1`));
    const again = await Promise.all(all.map((node) => send(node, "k0", { clientKey: "k0" })));
    for (const { messageId, status } of again) expect([messageId, status]).toEqual([ids[0], "delivered"]);
  });
});
