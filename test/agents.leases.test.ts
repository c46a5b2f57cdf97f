/** Leases: who may receive and acknowledge, who is online, and what a connection that is over still changes: nothing. */
import { describe, expect, test } from "vitest";
import { online, openRoom, settle } from "./helpers/agents.ts";
import { countedJournal, reasonFrom } from "./helpers/store-parts.ts";
import { until } from "./helpers/store-until.ts";

const D = "desk";

describe("two inboxes of one device", () => {
  test("16 take-over: the old one is told why, and its late close changes nothing", async () => {
    await using room = await openRoom();
    const old = await online(room, D);
    const young = await online(room, D);
    await old.over;
    expect(old.failedWith).toBe("duplicate-connection");
    expect(young.inbox.lease).toBeGreaterThan(old.inbox.lease);
    await old.inbox.close();
    expect(room.agents.devices()).toEqual([D]);
    const sent = room.agents.send({ deviceId: D, text: "a" });
    await until(() => expect(young.texts).toEqual(["a@1"]));
    await young.ackLast();
    expect(await sent).toMatchObject({ status: "delivered" });
    expect(old.texts).toEqual([]);
  });

  test("16 A2 reject: the new one is refused, and the first keeps its lease and gets the next message", async () => {
    await using room = await openRoom();
    const first = await online(room, D);
    expect(await reasonFrom(room.agents.connect({ deviceId: " Desk", policy: "reject" }))).toBe(
      "duplicate-connection",
    );
    const sent = room.agents.send({ deviceId: D, text: "a" });
    await until(() => expect(first.texts).toEqual(["a@1"]));
    await first.ackLast();
    expect(await sent).toMatchObject({ status: "delivered" });
    await first.inbox.close();
    const next = await room.agents.connect({ deviceId: D, policy: "reject" });
    expect(next.lease).toBeGreaterThan(first.inbox.lease);
  });

  test("16 the close of the old one, on its way behind the take-over, changes nothing", async () => {
    const counted = countedJournal();
    await using room = await openRoom({ journal: counted.journal });
    const old = await online(room, D);
    const go = counted.hold();
    const taking = online(room, D);
    await settle();
    const closing = old.inbox.close();
    go();
    await Promise.all([taking, closing]);
    expect(room.agents.list()).toMatchObject([
      { deviceId: D, online: true, lease: (await taking).inbox.lease },
    ]);
  });

  test("of many that come at once, one holds the lease, and every other one is told", async () => {
    await using room = await openRoom();
    const attempts = await Promise.allSettled(Array.from({ length: 20 }, () => online(room, D)));
    const devices = attempts.flatMap((attempt) => (attempt.status === "fulfilled" ? [attempt.value] : []));
    await until(() => expect(devices.filter(({ isOver }) => !isOver)).toHaveLength(1));
    expect(
      devices.filter(({ isOver }) => isOver).every(({ failedWith }) => failedWith === "duplicate-connection"),
    ).toBe(true);
    expect(room.agents.stats()).toMatchObject({ inboxes: 1 });
    expect(room.agents.devices()).toEqual([D]);
  });

  test("of many that come at once and may not take over, one gets in", async () => {
    await using room = await openRoom();
    const reasons = await Promise.all(
      Array.from({ length: 20 }, () => reasonFrom(room.agents.connect({ deviceId: D, policy: "reject" }))),
    );
    expect(reasons.filter((reason) => reason === "no refusal")).toHaveLength(1);
    expect(reasons.filter((reason) => reason === "duplicate-connection")).toHaveLength(19);
  });

  test("the senders of the old one are answered that it is queued; the new one gets it again, the next attempt", async () => {
    await using room = await openRoom();
    const old = await online(room, D);
    const sent = room.agents.send({ deviceId: D, text: "a", waitMs: 30_000 });
    await until(() => expect(old.texts).toEqual(["a@1"]));
    const young = await online(room, D);
    expect(await sent).toMatchObject({ status: "queued", position: 1 });
    await until(() => expect(young.texts).toEqual(["a@2"]));
    expect(young.last?.id).toBe(old.last?.id);
  });
});

describe("21 an ack", () => {
  test("of an old lease is refused, and the message stays", async () => {
    await using room = await openRoom();
    const old = await online(room, D);
    const { messageId } = await room.agents.send({ deviceId: D, text: "a", waitMs: 0 });
    await until(() => expect(old.texts).toEqual(["a@1"]));
    const young = await online(room, D);
    expect(await old.ackLast()).toEqual({ accepted: false, late: false });
    expect(room.agents.status(messageId)).toMatchObject({ status: "in-flight" });
    await until(() => expect(young.texts).toEqual(["a@2"]));
    expect(await old.ackLast()).toEqual({ accepted: false, late: false });
    expect(await young.ackLast()).toMatchObject({ accepted: true });
  });

  test("of another device is refused, and the message stays", async () => {
    await using room = await openRoom();
    const device = await online(room, D);
    const other = await online(room, "other");
    const { messageId } = await room.agents.send({ deviceId: D, text: "a", waitMs: 0 });
    await until(() => expect(device.texts).toEqual(["a@1"]));
    const { lease } = device.inbox;
    expect(await other.inbox.ack({ id: messageId })).toEqual({ accepted: false, late: false });
    expect(await room.agents.ack({ id: messageId, lease, deviceId: "other" })).toEqual({
      accepted: false,
      late: false,
    });
    expect(room.agents.status(messageId)).toMatchObject({ status: "in-flight" });
  });

  test("of a message that was never sent, or is not there, is refused", async () => {
    await using room = await openRoom();
    const { messageId } = await room.agents.send({ deviceId: D, text: "a" });
    expect(await room.agents.ack({ id: messageId, lease: 0 })).toEqual({ accepted: false, late: false });
    expect(await room.agents.ack({ id: messageId, lease: 1 })).toEqual({ accepted: false, late: false });
    expect(await reasonFrom(room.agents.ack({ id: "nothing", lease: 1 }))).toBe("unknown-message");
  });

  test("is accepted again when its answer was lost, and does not change what was said", async () => {
    await using room = await openRoom();
    const device = await online(room, D);
    const { messageId } = await room.agents.send({ deviceId: D, text: "a", waitMs: 0 });
    await until(() => expect(device.texts).toEqual(["a@1"]));
    expect(await device.ackLast()).toMatchObject({ accepted: true });
    expect(await device.ackLast()).toMatchObject({ accepted: true });
    expect(await device.ackLast("failed")).toEqual({ accepted: false, late: false });
    expect(room.agents.status(messageId)).toMatchObject({ status: "delivered" });
  });

  test("counts after the inbox closed, as long as no newer one was opened", async () => {
    await using room = await openRoom();
    const device = await online(room, D);
    const { messageId } = await room.agents.send({ deviceId: D, text: "a", waitMs: 0 });
    await until(() => expect(device.texts).toEqual(["a@1"]));
    await device.inbox.close();
    expect(await device.ackLast()).toMatchObject({ accepted: true });
    expect(room.agents.status(messageId)).toMatchObject({ status: "delivered" });
  });
});

describe("presence", () => {
  test("A1 A3 a device is there under its normalised id while its inbox is open, and gone at once", async () => {
    await using room = await openRoom({ nodeId: "n1" });
    const device = await online(room, " My-Mac ", { subject: "who" });
    expect(room.agents.devices()).toEqual(["my-mac"]);
    expect(room.agents.list()).toMatchObject([
      { deviceId: "my-mac", online: true, lease: device.inbox.lease, node: "n1", subject: "who" },
    ]);
    await device.inbox.close();
    expect(room.agents.devices()).toEqual([]);
    expect(room.agents.list()).toMatchObject([{ deviceId: "my-mac", online: false }]);
  });

  test("shows what waits, is in flight and is dead, in time", async () => {
    await using room = await openRoom({ countsAfterMs: 1 });
    const device = await online(room, D);
    await Promise.all(["a", "b", "c"].map((text) => room.agents.send({ deviceId: D, text, waitMs: 0 })));
    await until(() =>
      expect(room.agents.list()).toMatchObject([{ waiting: 2, inFlight: 1, deadLetters: 0 }]),
    );
    await device.ackLast("failed");
    await until(() =>
      expect(room.agents.list()).toMatchObject([{ waiting: 1, inFlight: 1, deadLetters: 1 }]),
    );
  });

  test("of a life before this one is put right before anybody is served, and what was in flight is sent again", async () => {
    const first = await openRoom();
    const device = await online(first, D);
    const { messageId } = await first.agents.send({ deviceId: D, text: "a", waitMs: 0 });
    await until(() => expect(device.texts).toEqual(["a@1"]));
    await using second = await first.again(); // the first one never said goodbye
    expect(second.agents.devices()).toEqual([]);
    expect(second.agents.list()).toMatchObject([{ deviceId: D, online: false, inFlight: 1, waiting: 0 }]);
    const again = await online(second, D, { acks: true });
    await until(() => expect(again.texts).toEqual(["a@2"]));
    expect(again.last?.id).toBe(messageId);
    await first.agents.close();
  });

  test("a stop ends every inbox without an error, and the devices are offline in the next life", async () => {
    const first = await openRoom();
    const device = await online(first, D);
    await until(() => expect(device.registered).toBeDefined());
    const waits = first.agents.send({ deviceId: D, text: "a", waitMs: 30_000 });
    await until(() => expect(first.agents.stats().senders).toBe(1));
    await first.agents.close();
    await device.over;
    expect(device.failedWith).toBeUndefined();
    expect(await waits).toMatchObject({ queued: true });
    await using second = await first.again();
    expect(second.agents.list()).toMatchObject([{ deviceId: D, online: false }]);
  });

  test("an inbox whose rights are revoked says so, and leaves", async () => {
    await using room = await openRoom();
    const device = await online(room, D);
    await until(() => expect(device.registered).toBeDefined());
    await device.inbox.revoke();
    await device.over;
    expect(device.failedWith).toBe("revoked");
    expect(room.agents.devices()).toEqual([]);
  });

  test("a signal closes the inbox, also one that was aborted before", async () => {
    await using room = await openRoom();
    const abort = new AbortController();
    const device = await online(room, D, { signal: abort.signal });
    abort.abort();
    await device.over;
    expect(room.agents.devices()).toEqual([]);
    const early = await online(room, D, { signal: AbortSignal.abort() });
    await early.over;
    expect(early.registered).toBeUndefined();
    expect(room.agents.devices()).toEqual([]);
  });
});
