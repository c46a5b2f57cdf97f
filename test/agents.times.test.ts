/** What time does to messages and devices: by one timer and the injected clock, never by somebody looking. */
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { Deadlines } from "../src/agents/deadlines.ts";
import { Device, online, openRoom, settle } from "./helpers/agents.ts";
import { countedJournal, NOON } from "./helpers/store-parts.ts";

const D = "desk";
const DAY = 86_400_000;

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

describe("a sender who waits", () => {
  test("A7 17 is answered after five seconds that it is pending; a late ack counts, and nothing is sent again", async () => {
    await using room = await openRoom();
    const device = await online(room, D);
    let answer: unknown;
    const sending = room.agents.send({ deviceId: D, text: "a" }).then((result) => {
      answer = result;
    });
    await pass(4_999);
    expect(answer).toBeUndefined();
    await pass(1);
    await sending;
    expect(answer).toMatchObject({ status: "pending", queued: true, position: 1 });
    expect(room.agents.stats()).toMatchObject({ senders: 0 });
    await pass(100);
    expect(await device.ackLast()).toEqual({ accepted: true, late: true });
    await pass(DAY - 10_000);
    expect(device.texts).toEqual(["a@1"]);
    expect(room.agents.status(device.last?.id ?? "")).toMatchObject({ status: "delivered" });
  });

  test("behind another message is answered that it is queued, with its place", async () => {
    await using room = await openRoom();
    await online(room, D);
    void room.agents.send({ deviceId: D, text: "a", waitMs: 0 });
    const sending = room.agents.send({ deviceId: D, text: "b", waitMs: 1_000 });
    await pass(1_000);
    expect(await sending).toMatchObject({ status: "queued", position: 2 });
  });

  test("leaves no timer when the ack comes, when it gives up, and when it may not wait", async () => {
    await using room = await openRoom({ maxWaitingSenders: 1, countsAfterMs: 0 });
    const device = await online(room, D);
    await pass(1);
    const timers = vi.getTimerCount();
    const abort = new AbortController();
    const first = room.agents.send({ deviceId: D, text: "a", waitMs: 30_000, signal: abort.signal });
    await settle();
    expect(await room.agents.send({ deviceId: D, text: "b", waitMs: 30_000 })).toMatchObject({
      status: "queued",
    });
    abort.abort();
    expect(await first).toMatchObject({ status: "pending" });
    await device.ackLast();
    await settle();
    await device.ackLast();
    await pass(1);
    expect(room.agents.stats()).toMatchObject({ senders: 0, waiting: 0, inFlight: 0 });
    expect(vi.getTimerCount()).toBeLessThanOrEqual(timers + 1); // the one of all deadlines
  });
});

describe("on a live lease", () => {
  test("a message that nobody acknowledges is shown as stuck after a minute, and is never sent again", async () => {
    await using room = await openRoom();
    const device = await online(room, D);
    const { messageId } = await room.agents.send({ deviceId: D, text: "a", waitMs: 0 });
    await pass(59_999);
    expect(room.agents.status(messageId)?.status).toBe("in-flight");
    await pass(1);
    expect(room.agents.status(messageId)?.status).toBe("stuck");
    await pass(200);
    expect(room.agents.list()).toMatchObject([{ inFlight: 1, stuck: 1 }]);
    await pass(DAY / 2);
    expect(device.texts).toEqual(["a@1"]);
    expect(await device.ackLast()).toEqual({ accepted: true, late: true });
    expect(room.agents.status(messageId)?.status).toBe("delivered");
  });

  test("a stuck message is in flight again when a new lease sends it again", async () => {
    await using room = await openRoom();
    await online(room, D);
    const { messageId } = await room.agents.send({ deviceId: D, text: "a", waitMs: 0 });
    await pass(60_000);
    const young = await online(room, D);
    await settle();
    expect(young.texts).toEqual(["a@2"]);
    expect(room.agents.status(messageId)?.status).toBe("in-flight");
  });
});

describe("A12 22 after a day", () => {
  test("a message expires by the clock, without anybody asking: it is a dead letter, and may be sent again", async () => {
    await using room = await openRoom({ keepSettledForMs: 10 * DAY });
    const { messageId } = await room.agents.send({ deviceId: D, text: "a" });
    const frames: string[] = [];
    const watching = (async () => {
      for await (const { data } of room.agents.watchStatus(messageId)) frames.push(data.status);
    })();
    await pass(DAY - 1);
    expect(frames).toEqual(["waiting"]);
    await pass(1);
    await watching;
    expect(frames).toEqual(["waiting", "expired"]);
    expect(room.agents.stats()).toMatchObject({ waiting: 0, deadLetters: 1 });
    expect(room.agents.deadLetters()).toMatchObject([{ messageId, error: "not acknowledged in time" }]);
    await room.agents.resend(messageId);
    const device = await online(room, D, { acks: true });
    await settle();
    expect(device.texts).toEqual(["a@1"]);
  });

  test("also in the life after, and what expired while nobody was there", async () => {
    const first = await openRoom({ keepSettledForMs: 10 * DAY });
    const a = await first.agents.send({ deviceId: D, text: "a" });
    await pass(DAY / 2);
    const b = await first.agents.send({ deviceId: D, text: "b" });
    await first.agents.close();
    await pass(DAY / 2 + 1);
    await using second = await first.again();
    await pass(1);
    expect(second.agents.status(a.messageId)?.status).toBe("expired");
    expect(second.agents.status(b.messageId)?.status).toBe("waiting");
    await pass(DAY / 2);
    expect(second.agents.status(b.messageId)?.status).toBe("expired");
  });

  test("one in the hands of a device leaves the lane; its ack counts all the same", async () => {
    await using room = await openRoom({ expireAfterMs: 1_000 });
    const device = await online(room, D);
    const { messageId } = await room.agents.send({ deviceId: D, text: "a", waitMs: 0 });
    await pass(1_000);
    expect(room.agents.status(messageId)?.status).toBe("expired");
    expect(await device.ackLast()).toEqual({ accepted: true, late: true });
    expect(room.agents.status(messageId)).toMatchObject({ status: "delivered", error: null });
  });

  test("delivered messages and dead letters are forgotten, and so is a device that is offline and has none", async () => {
    await using room = await openRoom();
    const device = await online(room, D);
    await room.agents.send({ deviceId: D, text: "a", waitMs: 0, clientKey: "k" });
    await settle();
    await device.ackLast();
    await room.agents.send({ deviceId: D, text: "b", waitMs: 0 });
    await settle();
    await device.ackLast("failed");
    await device.inbox.close();
    await pass(1_000);
    expect(room.agents.stats()).toMatchObject({ settled: 2, deadLetters: 1, devices: 1, settledBytes: 1 });
    await pass(DAY);
    expect(room.agents.stats()).toMatchObject({ settled: 0, deadLetters: 0, devices: 0, settledBytes: 0 });
    expect(room.agents.list()).toEqual([]);
  });

  test("nothing is left: no timer when there is nothing to wait for", async () => {
    await using room = await openRoom();
    const device = await online(room, D, { acks: true });
    await room.agents.send({ deviceId: D, text: "a" });
    await device.inbox.close();
    await pass(3 * DAY);
    await pass(2 * 3_600_000); // the tombstones of the device have had their time, too
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe("what is remembered", () => {
  test("is bounded in number and bytes: what was settled first is forgotten first", async () => {
    await using room = await openRoom({ maxSettled: 3, maxSettledBytes: 10 });
    const device = await online(room, D);
    const ids: string[] = [];
    for (const text of ["a", "b", "c", "d", "e"]) {
      ids.push((await room.agents.send({ deviceId: D, text, waitMs: 0 })).messageId);
      await settle();
      await device.ackLast();
      await settle();
    }
    expect(ids.map((id) => room.agents.status(id)?.status)).toEqual([
      undefined,
      undefined,
      "delivered",
      "delivered",
      "delivered",
    ]);
    for (const text of ["123456", "7890123"]) {
      await room.agents.send({ deviceId: D, text, waitMs: 0 });
      await settle();
      await device.ackLast("failed");
      await settle();
    }
    expect(room.agents.stats()).toMatchObject({ settled: 1, settledBytes: 7, deadLetters: 1 });
  });
});

describe("while the engine is away", () => {
  test("a message is sent when it comes back, and the device that left is offline then", async () => {
    const counted = countedJournal();
    await using room = await openRoom({ journal: counted.journal });
    const { messageId } = await room.agents.send({ deviceId: D, text: "a" });
    const inbox = await room.agents.connect({ deviceId: D });
    counted.setAway(true);
    const device = new Device(inbox);
    await pass(3_000);
    expect(device.texts).toEqual([]);
    counted.setAway(false);
    await pass(1_000);
    expect(device.texts).toEqual(["a@1"]);
    counted.setAway(true);
    await device.inbox.close();
    await settle();
    expect(room.agents.devices()).toEqual([D]);
    counted.setAway(false);
    await pass(5_000);
    expect(room.agents.devices()).toEqual([]);
    expect(room.agents.status(messageId)?.status).toBe("in-flight");
  });

  test("what is due is done when it comes back", async () => {
    const counted = countedJournal();
    await using room = await openRoom({ journal: counted.journal, expireAfterMs: 1_000 });
    const { messageId } = await room.agents.send({ deviceId: D, text: "a" });
    counted.setAway(true);
    await pass(2_000);
    expect(room.agents.status(messageId)?.status).toBe("waiting");
    counted.setAway(false);
    await pass(5_000);
    expect(room.agents.status(messageId)?.status).toBe("expired");
  });
});

describe("deadlines", () => {
  test("come in order of time, moved and removed ones as they are now, with one timer for all", () => {
    const due: string[] = [];
    const deadlines = new Deadlines({ now: Date.now, onDue: (key) => void due.push(key) });
    for (const [key, ms] of [
      ["c", 30],
      ["a", 10],
      ["gone", 15],
      ["b", 20],
      ["later", 5],
    ] as const)
      deadlines.set(key, NOON + ms);
    deadlines.delete("gone");
    deadlines.set("later", NOON + 40);
    expect(vi.getTimerCount()).toBe(1);
    vi.advanceTimersByTime(20);
    expect(due).toEqual(["a", "b"]);
    vi.advanceTimersByTime(1_000);
    expect(due).toEqual(["a", "b", "c", "later"]);
    expect(vi.getTimerCount()).toBe(0);
  });

  test("further away than a timer can count are waited for", () => {
    const due: string[] = [];
    const deadlines = new Deadlines({ now: Date.now, onDue: (key) => void due.push(key) });
    deadlines.set("far", NOON + 60 * DAY);
    vi.advanceTimersByTime(60 * DAY - 1);
    expect(due).toEqual([]);
    vi.advanceTimersByTime(1);
    expect(due).toEqual(["far"]);
  });

  test("that are moved again and again keep a bounded heap, and still come in order", () => {
    const due: string[] = [];
    const deadlines = new Deadlines({ now: Date.now, onDue: (key) => void due.push(key) });
    for (let i = 0; i < 2_000; i += 1) {
      deadlines.set(`k${i % 20}`, NOON + 1_000 + ((i * 7_919) % 1_000));
    }
    const expected = new Map<string, number>();
    for (let i = 0; i < 2_000; i += 1) expected.set(`k${i % 20}`, 1_000 + ((i * 7_919) % 1_000));
    vi.advanceTimersByTime(5_000);
    expect(due).toEqual([...expected].sort(([, a], [, b]) => a - b).map(([key]) => key));
  });
});
