/** Devices on several nodes that share an order, and on a node whose engine loses answers or begins anew. */
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { Journal } from "../src/journal/journal.ts";
import { createMemoryJournal } from "../src/journal/memory.ts";
import { online, openRoom, settle, type TestRoom } from "./helpers/agents.ts";
import { severable } from "./helpers/agents-program.ts";
import { JournalFaults, withFaults } from "./helpers/faulty-journal.ts";
import { NOON, reasonFrom } from "./helpers/store-parts.ts";

const D = "desk";

beforeEach(() => {
  vi.useFakeTimers({
    toFake: ["setTimeout", "clearTimeout", "setInterval", "clearInterval", "Date"],
    now: NOON,
  });
});
afterEach(() => {
  vi.useRealTimers();
});

async function pass(ms: number): Promise<void> {
  await vi.advanceTimersByTimeAsync(ms);
  await settle();
}

/** Two nodes over one order; the first one can be cut off, as by the end of its process. */
async function pair() {
  const inner = createMemoryJournal();
  const first = severable(inner, true);
  const a = await openRoom({ journal: first.journal, nodeId: "a" });
  await inner.open();
  const b = await openRoom({ journal: severable(inner, true).journal, nodeId: "b" });
  return {
    a,
    b,
    sever: first.sever,
    async [Symbol.asyncDispose]() {
      await a.agents.close();
      await b.agents.close();
      await settle();
      expect(vi.getTimerCount()).toBe(0);
    },
  };
}

const lines = (room: TestRoom) =>
  room.agents.list().map(({ deviceId, online: on, node }) => [deviceId, on, node]);

describe("two nodes", () => {
  test("a message is accepted on one and sent by the one that holds the lease; the sender hears of the ack", async () => {
    await using nodes = await pair();
    const device = await online(nodes.a, D);
    const sent = nodes.b.agents.send({ deviceId: D, text: "x", waitMs: 30_000 });
    await settle();
    expect(device.texts).toEqual(["x@1"]);
    await nodes.b.agents.ack({ id: device.last?.id ?? "", lease: device.inbox.lease });
    expect(await sent).toMatchObject({ status: "delivered" });
    expect(lines(nodes.b)).toEqual([[D, true, "a"]]);
  });

  test("a device that connects to the other one takes over, or is refused, wherever the first one is", async () => {
    await using nodes = await pair();
    const old = await online(nodes.a, D);
    expect(await reasonFrom(nodes.b.agents.connect({ deviceId: D, policy: "reject" }))).toBe(
      "duplicate-connection",
    );
    const young = await online(nodes.b, D);
    await old.over;
    expect(old.failedWith).toBe("duplicate-connection");
    await nodes.a.agents.send({ deviceId: D, text: "x", waitMs: 0 });
    await settle();
    expect([old.texts, young.texts]).toEqual([[], ["x@1"]]);
    expect(lines(nodes.a)).toEqual([[D, true, "b"]]);
  });

  test("the devices of one that falls silent are offline after fifteen seconds, and senders are answered", async () => {
    await using nodes = await pair();
    const device = await online(nodes.a, D);
    const sent = nodes.b.agents.send({ deviceId: D, text: "x", waitMs: 30_000 });
    await settle();
    expect(device.texts).toEqual(["x@1"]);
    await pass(10_000);
    nodes.sever();
    await pass(10_000);
    expect(lines(nodes.b)).toEqual([[D, true, "a"]]);
    await pass(10_000);
    expect(lines(nodes.b)).toEqual([[D, false, "a"]]);
    expect(await sent).toMatchObject({ status: "queued", position: 1 });
    const again = await nodes.b.agents.connect({ deviceId: D, policy: "reject" });
    expect(again.lease).toBeGreaterThan(device.inbox.lease);
  });

  test("what a life before this one left is put right, also when nobody else is there", async () => {
    const inner = createMemoryJournal();
    const before = severable(inner, true);
    const first = await openRoom({ journal: before.journal, nodeId: "a" });
    await online(first, D);
    before.sever();
    await using second = await openRoom({ journal: severable(inner, true).journal, nodeId: "a2" });
    expect(lines(second)).toEqual([[D, true, "a"]]); // another node might still serve it
    await pass(25_000);
    expect(lines(second)).toEqual([[D, false, "a"]]);
    expect(second.log.said(/silent/)).toHaveLength(1);
    await first.agents.close();
  });

  test("one that lives is not taken for gone, however long; nothing beats when no device is there", async () => {
    await using nodes = await pair();
    const device = await online(nodes.a, D);
    await pass(600_000);
    expect(lines(nodes.b)).toEqual([[D, true, "a"]]);
    await device.inbox.close();
    await pass(6_000);
    expect(vi.getTimerCount()).toBe(2); // each waits to forget the device
  });

  test("one that was taken for gone and is not says so: its devices are online again, under the same lease", async () => {
    const inner = createMemoryJournal();
    const faults = new JournalFaults();
    await using a = await openRoom({ journal: { ...withFaults(inner, faults), shared: true }, nodeId: "a" });
    await using b = await openRoom({ journal: severable(inner, true).journal, nodeId: "b" });
    const device = await online(a, D);
    faults.fate = () => "refused";
    await pass(25_000);
    expect(lines(b)).toEqual([[D, false, "a"]]);
    faults.heal();
    await pass(5_000);
    await b.agents.send({ deviceId: D, text: "x", waitMs: 0 });
    await settle();
    expect(device.texts).toEqual(["x@1"]);
    await pass(10_000);
    expect(lines(b)).toEqual([[D, true, "a"]]);
  });

  test("21 one that lags hands over nothing that a newer lease has sent, and its ack is refused", async () => {
    const inner = createMemoryJournal();
    const faults = new JournalFaults();
    await using a = await openRoom({ journal: { ...withFaults(inner, faults), shared: true }, nodeId: "a" });
    await using b = await openRoom({ journal: severable(inner, true).journal, nodeId: "b" });
    const old = await online(a, D);
    const { messageId } = await b.agents.send({ deviceId: D, text: "x", waitMs: 0 });
    await settle();
    expect(old.texts).toEqual(["x@1"]);
    faults.hold(); // a does not hear what happens from here on
    const young = await online(b, D);
    await settle();
    expect(young.texts).toEqual(["x@2"]);
    const late = a.agents.ack({ id: messageId, lease: old.inbox.lease });
    await settle();
    faults.release();
    expect(await late).toEqual({ accepted: false, late: false });
    await old.over;
    expect(old.failedWith).toBe("duplicate-connection");
    expect(await young.ackLast()).toMatchObject({ accepted: true });
  });
});

describe("an engine that", () => {
  test("loses every first answer costs no message and sends none twice", async () => {
    const faults = new JournalFaults();
    const seen = new Set<string>();
    faults.fate = ({ messageId }) => {
      if (seen.has(messageId)) return "answered";
      seen.add(messageId);
      return "ack-lost";
    };
    await using room = await openRoom({ journal: withFaults(createMemoryJournal(), faults) });
    const connecting = online(room, D, { acks: true });
    await pass(1_000);
    const device = await connecting;
    for (const text of ["a", "b"]) {
      const sent = room.agents.send({ deviceId: D, text, waitMs: 30_000 });
      await pass(2_000);
      expect(await sent).toMatchObject({ status: "delivered" });
    }
    expect(device.texts).toEqual(["a@1", "b@1"]);
    faults.heal(); // nobody turns the clock while the room closes
  });

  test("follows again in the same order changes nothing for a device", async () => {
    const faults = new JournalFaults();
    await using room = await openRoom({ journal: withFaults(createMemoryJournal(), faults) });
    const device = await online(room, D);
    await room.agents.send({ deviceId: D, text: "a", waitMs: 0 });
    await room.agents.send({ deviceId: D, text: "b", waitMs: 0 });
    await settle();
    await faults.followAgain();
    await settle();
    expect(device.texts).toEqual(["a@1"]);
    await device.ackLast();
    await settle();
    expect(device.texts).toEqual(["a@1", "b@1"]);
    expect(device.isOver).toBe(false);
  });

  test("is reading again refuses an ack by an error, and not for good", async () => {
    const faults = new JournalFaults();
    await using room = await openRoom({ journal: withFaults(createMemoryJournal(), faults) });
    const device = await online(room, D);
    const { messageId } = await room.agents.send({ deviceId: D, text: "a", waitMs: 0 });
    await settle();
    const [, presences] = [...faults.followers];
    presences?.hold();
    const again = presences?.again();
    presences?.release(1); // the beginning, and nothing yet of what is there
    presences?.hold();
    expect(await reasonFrom(device.ackLast())).toBe("unavailable");
    presences?.release();
    await again;
    expect(await device.ackLast()).toMatchObject({ accepted: true });
    expect(room.agents.status(messageId)?.status).toBe("delivered");
  });

  test("has begun anew ends every inbox so that the device comes again", async () => {
    const faults = new JournalFaults();
    await using room = await openRoom({ journal: withFaults(createMemoryJournal(), faults) });
    const device = await online(room, D);
    await settle();
    const other: Journal = createMemoryJournal();
    await other.open();
    await faults.replaceOrder(other);
    await device.over;
    expect(device.failedWith).toBe("behind");
    expect(room.agents.devices()).toEqual([]);
    const again = await online(room, D, { acks: true });
    expect(await room.agents.send({ deviceId: D, text: "a", waitMs: 0 })).toMatchObject({ queued: true });
    await settle();
    expect(again.texts).toEqual(["a@1"]);
  });

  test("is away refuses a send, and what was refused is not there", async () => {
    const faults = new JournalFaults();
    await using room = await openRoom({ journal: withFaults(createMemoryJournal(), faults) });
    await room.agents.send({ deviceId: D, text: "a" });
    faults.away("gone");
    expect(await reasonFrom(room.agents.send({ deviceId: D, text: "b" }))).toBe("unavailable");
    faults.back();
    expect(room.agents.stats()).toMatchObject({ waiting: 1 });
  });
});
