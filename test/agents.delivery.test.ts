/** Messages and devices: accepted, sent one at a time, acknowledged, and what happens when they are not. */
import { describe, expect, test } from "vitest";
import { online, openRoom, settle } from "./helpers/agents.ts";
import { countedJournal, reasonFrom } from "./helpers/store-parts.ts";
import { until } from "./helpers/store-until.ts";

const D = "desk";

describe("a device that is online", () => {
  test("is registered under its normalised id by the first frame, with its lease and what waits", async () => {
    await using room = await openRoom();
    await room.agents.send({ deviceId: " DESK ", text: "a" });
    const device = await online(room, "  DesK");
    await until(() => expect(device.registered).toBeDefined());
    expect(device.registered).toEqual({
      type: "registered",
      deviceId: D,
      lease: device.inbox.lease,
      queued: 1,
    });
  });

  test("A6 a send is answered by the ack", async () => {
    await using room = await openRoom();
    await online(room, D, { acks: true });
    const sent = await room.agents.send({ deviceId: D, text: "hello", payload: { a: [1] } });
    expect(sent).toEqual({ messageId: expect.any(String), status: "delivered", queued: false });
    expect(room.agents.status(sent.messageId)).toMatchObject({
      status: "delivered",
      attempt: 1,
      error: null,
    });
  });

  test("gets payload and text as they were sent, each message once", async () => {
    await using room = await openRoom();
    const device = await online(room, D, { acks: true });
    await room.agents.send({ deviceId: D, text: "t", payload: [{ type: "key", key: "enter" }] });
    await room.agents.send({ deviceId: D, payload: "p" });
    await room.agents.send({ deviceId: D, text: "only" });
    expect(device.messages).toMatchObject([
      { text: "t", payload: [{ type: "key", key: "enter" }], attempt: 1 },
      { payload: "p" },
      { text: "only", payload: null },
    ]);
    expect(device.messages[1]).not.toHaveProperty("text");
    expect(new Set(device.frames).size).toBe(device.frames.length);
  });

  test("has one message in flight: the next one comes when it was acknowledged", async () => {
    await using room = await openRoom();
    const device = await online(room, D);
    const sends = ["a", "b", "c"].map((text) => room.agents.send({ deviceId: D, text, waitMs: 0 }));
    expect((await Promise.all(sends)).map(({ position }) => position)).toEqual([1, 2, 3]);
    await until(() => expect(device.texts).toEqual(["a@1"]));
    await device.ackLast();
    await until(() => expect(device.texts).toEqual(["a@1", "b@1"]));
    await device.ackLast();
    await until(() => expect(device.texts).toEqual(["a@1", "b@1", "c@1"]));
  });

  test("19 gets a hundred concurrent sends in the order of their acceptance, one at a time, and others are not held up", async () => {
    await using room = await openRoom({ maxWaitingPerDevice: 100 });
    const dead = await online(room, "dead");
    const slow = room.agents.send({ deviceId: "dead", text: "never", waitMs: 30_000 });
    let atOnce = 0;
    const inbox = await room.agents.connect({ deviceId: D });
    const got: string[] = [];
    const run = (async () => {
      for await (const { data } of inbox.frames()) {
        if (data.type !== "message") continue;
        expect(++atOnce).toBe(1);
        got.push(data.text ?? "");
        await new Promise((resolve) => setImmediate(resolve));
        atOnce -= 1;
        await inbox.ack({ id: data.id });
      }
    })();
    const texts = Array.from({ length: 100 }, (_, i) => `m${i}`);
    const results = await Promise.all(texts.map((text) => room.agents.send({ deviceId: D, text })));
    expect(results.every(({ status }) => status === "delivered")).toBe(true);
    expect(got).toEqual(texts);
    expect(dead.texts).toEqual(["never@1"]);
    await inbox.close();
    await run;
    await dead.inbox.close();
    expect(await slow).toMatchObject({ status: "queued" });
  });

  test("that says that it failed makes a dead letter, and the lane moves on", async () => {
    await using room = await openRoom();
    const device = await online(room, D);
    const first = room.agents.send({ deviceId: D, text: "a" });
    const second = room.agents.send({ deviceId: D, text: "b" });
    await until(() => expect(device.texts).toEqual(["a@1"]));
    expect(await device.ackLast("failed", "no such key")).toEqual({ accepted: true, late: false });
    const { messageId, status } = await first;
    expect(status).toBe("failed");
    await until(() => expect(device.texts).toEqual(["a@1", "b@1"]));
    await device.ackLast();
    expect(await second).toMatchObject({ status: "delivered" });
    expect(room.agents.deadLetters()).toMatchObject([{ messageId, status: "failed", error: "no such key" }]);
    expect(room.agents.deadLetters({ deviceId: "other" })).toEqual([]);
  });

  test("gets a dead letter again when it is sent again: the same id, the next attempt, at the end of the lane", async () => {
    await using room = await openRoom();
    const device = await online(room, D);
    const { messageId } = await room.agents.send({ deviceId: D, text: "a", waitMs: 0 });
    await until(() => expect(device.texts).toEqual(["a@1"]));
    await device.ackLast("failed");
    await room.agents.send({ deviceId: D, text: "b", waitMs: 0 });
    expect(await room.agents.resend(messageId)).toMatchObject({ messageId, status: "waiting", attempt: 1 });
    await until(() => expect(device.texts).toEqual(["a@1", "b@1"]));
    await device.ackLast();
    await until(() => expect(device.texts).toEqual(["a@1", "b@1", "a@2"]));
    expect(device.last?.id).toBe(messageId);
    await device.ackLast();
    expect(room.agents.status(messageId)).toMatchObject({ status: "delivered", error: null });
    expect(await reasonFrom(room.agents.resend(messageId))).toBe("invalid-input");
    expect(await reasonFrom(room.agents.resend("nothing"))).toBe("unknown-message");
  });
});

describe("a device that is offline", () => {
  test("A9 A10 what is sent is queued, answered at once, and arrives in order when it registers", async () => {
    await using room = await openRoom();
    for (const text of ["a", "b", "c"]) {
      expect(await room.agents.send({ deviceId: D, text })).toMatchObject({ status: "queued", queued: true });
    }
    const device = await online(room, D, { acks: true });
    await until(() => expect(device.texts).toEqual(["a@1", "b@1", "c@1"]));
    expect(device.registered?.queued).toBe(3);
  });

  test("A11 22 the fifty-first message that waits is refused, and others' are not", async () => {
    await using room = await openRoom();
    const sends = Array.from({ length: 50 }, (_, i) => room.agents.send({ deviceId: D, text: `${i}` }));
    await Promise.all(sends);
    expect(await reasonFrom(room.agents.send({ deviceId: D, text: "one more" }))).toBe("queue-full");
    expect(await room.agents.send({ deviceId: "other", text: "a" })).toMatchObject({ status: "queued" });
    const device = await online(room, D, { acks: true });
    await until(() => expect(device.messages).toHaveLength(50));
    expect(await room.agents.send({ deviceId: D, text: "one more" })).toMatchObject({ status: "delivered" });
  });

  test("A11 of sixty concurrent sends fifty are taken", async () => {
    await using room = await openRoom();
    const sends = Array.from({ length: 60 }, (_, i) =>
      reasonFrom(room.agents.send({ deviceId: D, text: `${i}` })),
    );
    const reasons = await Promise.all(sends);
    expect(reasons.filter((reason) => reason === "queue-full")).toHaveLength(10);
    expect(room.agents.stats()).toMatchObject({ waiting: 50 });
  });

  test("A11 22 what is on its way to the engine counts for every bound", async () => {
    const counted = countedJournal();
    const bounds = { maxWaitingPerDevice: 5, maxMessages: 8, maxBytes: 100 };
    await using room = await openRoom({ journal: counted.journal, ...bounds });
    for (const deviceId of [D, "other", "third"]) await room.agents.send({ deviceId, text: "a" });
    const go = counted.hold();
    const send = (deviceId: string, text: string) => reasonFrom(room.agents.send({ deviceId, text }));
    const five = Array.from({ length: 5 }, () => send(D, "a"));
    const big = send("other", "x".repeat(94));
    const one = send("third", "a");
    await settle();
    go();
    expect(await Promise.all(five)).toEqual([...Array.from({ length: 4 }, () => "no refusal"), "queue-full"]);
    expect(await big).toBe("queue-full"); // 3 and 4 bytes are there or coming
    expect(await one).toBe("no refusal");
    expect(await send("third", "a")).toBe("queue-full"); // eight in all
    expect(room.agents.stats()).toMatchObject({ waiting: 8, bytes: 8 });
  });

  test("22 the caps over all devices hold against random ids, in number, in bytes and in devices", async () => {
    await using room = await openRoom({ maxMessages: 4, maxBytes: 1_000 });
    const sent = async (i: number, text: string) => reasonFrom(room.agents.send({ deviceId: `d${i}`, text }));
    expect(await sent(0, "x".repeat(990))).toBe("no refusal");
    expect(await sent(1, "x".repeat(100))).toBe("queue-full");
    for (const i of [2, 3, 4]) expect(await sent(i, "")).toBe("no refusal");
    expect(await sent(5, "")).toBe("queue-full");
    await using other = await openRoom({ maxDevices: 3 });
    const reasons = await Promise.all(
      Array.from({ length: 6 }, (_, i) => reasonFrom(other.agents.send({ deviceId: `d${i}`, text: "a" }))),
    );
    expect(reasons.filter((reason) => reason === "too-many-devices")).toHaveLength(3);
    expect(await reasonFrom(other.agents.connect({ deviceId: "one more" }))).toBe("too-many-devices");
    expect(other.agents.stats()).toMatchObject({ devices: 3, waiting: 3 });
  });

  test("A8 an ack that does not come: a disconnect settles those who wait", async () => {
    await using room = await openRoom();
    const device = await online(room, D);
    const sends = ["a", "b"].map((text) => room.agents.send({ deviceId: D, text, waitMs: 30_000 }));
    await until(() => expect(room.agents.stats().senders).toBe(2));
    await device.inbox.close();
    expect(await Promise.all(sends)).toMatchObject([
      { status: "queued", position: 1 },
      { status: "queued", position: 2 },
    ]);
    expect(room.agents.stats()).toMatchObject({ senders: 0, inFlight: 1, waiting: 1 });
  });

  test("18 what was not acknowledged comes first after a drop, in order, same ids, the next attempt", async () => {
    await using room = await openRoom();
    const sent = await Promise.all(
      Array.from({ length: 50 }, (_, i) => room.agents.send({ deviceId: D, text: `${i}` })),
    );
    const first = await room.agents.connect({ deviceId: D });
    const executed: string[] = [];
    for await (const { data } of first.frames()) {
      if (data.type !== "message") continue;
      executed.push(data.id);
      if (executed.length === 20) break; // the socket dies with the twentieth in hand
      await first.ack({ id: data.id });
    }
    await until(() => expect(room.agents.devices()).toEqual([]));
    const second = await online(room, D, { acks: true });
    await until(() => expect(second.messages).toHaveLength(31));
    expect(second.messages.map(({ id }) => id)).toEqual(sent.slice(19).map(({ messageId }) => messageId));
    expect(second.messages.map(({ attempt }) => attempt)).toEqual([
      2,
      ...Array.from({ length: 30 }, () => 1),
    ]);
  });

  test("the attempt after the last one makes a dead letter, and the lane moves on", async () => {
    await using room = await openRoom();
    const { messageId } = await room.agents.send({ deviceId: D, text: "poison" });
    await room.agents.send({ deviceId: D, text: "b" });
    for (const attempt of [1, 2, 3, 4, 5]) {
      const device = await online(room, D);
      await until(() => expect(device.texts).toEqual([`poison@${attempt}`]));
      await device.inbox.close();
    }
    const device = await online(room, D);
    await until(() => expect(device.texts).toEqual(["b@1"]));
    expect(room.agents.status(messageId)).toMatchObject({
      status: "failed",
      attempt: 5,
      error: "not acknowledged in 5 attempts",
    });
    await device.ackLast();
    await room.agents.resend(messageId);
    await until(() => expect(device.texts).toEqual(["b@1", "poison@6"]));
  });
});

describe("a client key", () => {
  test("20 sends once: the same message id, also while it waits, is in flight, and when it was delivered", async () => {
    await using room = await openRoom();
    const send = (text: string) =>
      room.agents.send({ deviceId: D, text, clientKey: "k", sender: "me", waitMs: 0 });
    const [a, b] = await Promise.all([send("a"), send("b")]);
    expect(a.messageId).toBe(b.messageId);
    const device = await online(room, D);
    await until(() => expect(device.texts).toEqual(["a@1"]));
    expect(await send("c")).toMatchObject({ messageId: a.messageId, status: "pending", position: 1 });
    await device.ackLast();
    expect(await send("d")).toEqual({ messageId: a.messageId, status: "delivered", queued: false });
    expect(device.texts).toEqual(["a@1"]);
  });

  test("20 sends once, also when both are on their way to the engine", async () => {
    const counted = countedJournal();
    await using room = await openRoom({ journal: counted.journal });
    await room.agents.send({ deviceId: D, text: "before" });
    const go = counted.hold();
    const send = (text: string) => room.agents.send({ deviceId: D, text, clientKey: "k" });
    const both = [send("a"), send("b")];
    await settle();
    go();
    const [a, b] = await Promise.all(both);
    expect(a).toEqual(b);
    const device = await online(room, D, { acks: true });
    await until(() => expect(device.texts).toEqual(["before@1", "a@1"]));
    expect(room.agents.stats()).toMatchObject({ waiting: 0, settled: 2 });
  });

  test("20 holds over a restart", async () => {
    const first = await openRoom();
    const key = { deviceId: D, clientKey: "k", sender: "me" };
    const { messageId } = await first.agents.send({ ...key, text: "a" });
    await first.agents.close();
    await using second = await first.again();
    expect(await second.agents.send({ ...key, text: "a" })).toMatchObject({ messageId, position: 1 });
    const device = await online(second, D, { acks: true });
    await until(() => expect(device.texts).toEqual(["a@1"]));
  });

  test("is its sender's and its device's own", async () => {
    await using room = await openRoom();
    const ids = await Promise.all(
      [
        { deviceId: D, sender: "a" },
        { deviceId: D, sender: "b" },
        { deviceId: "e", sender: "a" },
      ].map((of) => room.agents.send({ ...of, text: "t", clientKey: "k" })),
    );
    expect(new Set(ids.map(({ messageId }) => messageId)).size).toBe(3);
  });
});

describe("what is refused", () => {
  test.each([
    ["a blank device id", { deviceId: "  ", text: "a" }, "invalid-device-id"],
    ["a device id that is no text", { deviceId: 5 as unknown as string, text: "a" }, "invalid-device-id"],
    ["a device id that is too long", { deviceId: "x".repeat(129), text: "a" }, "invalid-device-id"],
    ["neither payload nor text", { deviceId: D }, "invalid-input"],
    ["what JSON cannot say", { deviceId: D, payload: 1n }, "invalid-input"],
    ["a function", { deviceId: D, payload: () => 1 }, "invalid-input"],
    ["a payload that is too large", { deviceId: D, payload: "x".repeat(262_144) }, "invalid-input"],
    [
      "a payload that is too deep",
      { deviceId: D, payload: JSON.parse("[".repeat(65) + "]".repeat(65)) },
      "invalid-input",
    ],
    ["a wait that is too long", { deviceId: D, text: "a", waitMs: 30_001 }, "invalid-input"],
    ["an empty client key", { deviceId: D, text: "a", clientKey: "" }, "invalid-input"],
  ])("%s", async (_what, request, reason) => {
    await using room = await openRoom();
    expect(await reasonFrom(room.agents.send(request))).toBe(reason);
    expect(room.agents.stats()).toMatchObject({ waiting: 0, devices: 0 });
  });

  test("everything, before the start and after the stop", async () => {
    const room = await openRoom();
    await room.agents.close();
    expect(await reasonFrom(room.agents.send({ deviceId: D, text: "a" }))).toBe("unavailable");
    expect(await reasonFrom(room.agents.connect({ deviceId: D }))).toBe("unavailable");
    expect(await reasonFrom(room.agents.ack({ id: "x", lease: 1 }))).toBe("unavailable");
  });
});
