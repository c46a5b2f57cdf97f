/** The parts of the NATS engine that need no server. */
import fc from "fast-check";
import { describe, expect, test, vi } from "vitest";
import { JournalUnavailable } from "../src/journal/journal.ts";
import {
  NatsApi,
  type StreamCalls,
  type StreamMessage,
  Unanswered,
  unavailable,
  WrongSequence,
} from "../src/journal/nats/api.ts";
import { StreamFollower } from "../src/journal/nats/follower.ts";
import { Holes } from "../src/journal/nats/holes.ts";
import { natsSettings } from "../src/journal/nats/options.ts";
import { Order } from "../src/journal/nats/order.ts";
import { loadNatsPackages } from "../src/journal/nats/packages.ts";
import { decodeEpoch, decodeFloor, decodeRecord, encodeRecord } from "../src/journal/nats/payload.ts";
import { assertCollection, decodeToken, encodeToken, subjectsOf } from "../src/journal/nats/subjects.ts";
import { StreamWatch } from "../src/journal/nats/watch.ts";
import { StreamWriter } from "../src/journal/nats/writer.ts";
import { silentLogger } from "../src/log.ts";

const message = (sequence: number, id = `id ${sequence}`): StreamMessage => ({
  sequence,
  subject: `snapwire.s.snapshots.k.${encodeToken(`k${sequence}`)}`,
  id,
  data: encodeRecord("k", sequence),
});

describe("subjects", () => {
  const subjects = subjectsOf("snapwire", "s");

  test("P5 any name is one token, and comes back as it was", () => {
    const units = fc.array(fc.nat(0xffff), { maxLength: 8 }).map((codes) => String.fromCharCode(...codes));
    const names = fc.oneof(fc.string({ unit: "binary" }), units);
    fc.assert(
      fc.property(names, (name) => {
        expect(encodeToken(name)).toMatch(/^[A-Za-z0-9_=-]+$/);
        expect(decodeToken(encodeToken(name))).toBe(name);
        expect(subjects.parse(subjects.record("snapshots", name))).toEqual({
          kind: "record",
          collection: "snapshots",
          key: name,
        });
        expect(subjects.parse(subjects.floor("snapshots", name))).toEqual({
          kind: "floor",
          collection: "snapshots",
          scope: name,
        });
      }),
    );
  });

  test("the floor of absent scopes is no scope's", () => {
    expect(subjects.parse(subjects.floor("snapshots", null))).toMatchObject({ scope: null });
    expect(subjects.floor("snapshots", "~")).not.toBe(subjects.floor("snapshots", null));
  });

  test.each([
    "other.s.snapshots.k.a",
    "snapwire.s.snapshots.x.a",
    "snapwire.s.snapshots.k.a.b",
    "snapwire.s.meta.m",
  ])("%s is nothing of ours", (subject) => expect(subjects.parse(subject)).toBeUndefined());

  test("a key that no server would take as a subject is refused", () => {
    expect(() => subjects.record("snapshots", "k".repeat(4_000))).toThrow(/A key is too long/);
    expect(() => assertCollection("meta")).toThrow();
    expect(() => assertCollection("a.b")).toThrow();
  });
});

describe("what stands in a message", () => {
  test.each(["", "{", "[]", "7", '{"format":2,"body":1}', '{"format":1}', "\xff"])(
    "%j is not read as ours",
    (text) => {
      const bytes = Buffer.from(text, "latin1");
      expect(decodeRecord(bytes)).toBeUndefined();
      expect(decodeFloor(bytes)).toBeUndefined();
      expect(decodeEpoch(bytes)).toBeUndefined();
    },
  );

  test("a floor that is no sequence is none", () => {
    for (const floor of ["1.5", "-1", '"1"', "1e300", "null"])
      expect(decodeFloor(Buffer.from(`{"format":1,"floor":${floor}}`))).toBeUndefined();
  });
});

describe("the order", () => {
  const given = (order: Order): (number | string)[] =>
    [...order.take()].map(({ sequence, message }) => (message ? sequence : `void ${sequence}`));

  test("is that of the stream, however messages arrive, each once", () => {
    const arrivals = fc.shuffledSubarray(
      Array.from({ length: 12 }, (_, n) => n + 4),
      { minLength: 12 },
    );
    fc.assert(
      fc.property(arrivals, (sequences) => {
        const order = new Order();
        order.restart(3);
        const out = sequences.flatMap((sequence) => {
          order.put(message(sequence));
          order.put(message(sequence, "again"));
          return given(order);
        });
        expect(out).toEqual(Array.from({ length: 12 }, (_, n) => n + 4));
        expect(order.hasHole).toBe(false);
        order.put(message(7));
        expect(given(order)).toEqual([]);
      }),
    );
  });

  test("after a void nothing is given below the gate: what took its place comes in the same breath", () => {
    const order = new Order();
    order.put(message(3));
    order.voids(1, 2);
    expect(given(order)).toEqual([]);
    order.gateAt(4);
    expect(given(order)).toEqual([]);
    order.put(message(4));
    expect(given(order)).toEqual(["void 1", "void 2", 3, 4]);
  });

  test("remembers what it gave last: another message in its place is another order", () => {
    const order = new Order();
    for (let sequence = 1; sequence <= 300; sequence += 1) order.put(message(sequence));
    given(order);
    expect(order.agrees(message(300))).toBe(true);
    expect(order.agrees(message(300, "another"))).toBe(false);
    expect(order.agrees(message(1, "another")), "too long ago").toBeUndefined();
    expect(order.agrees(message(301))).toBeUndefined();
  });

  test("keeps 10,000 messages above a hole at most, and 64 MiB", () => {
    const order = new Order();
    for (let sequence = 2; sequence <= 10_001; sequence += 1) order.put(message(sequence));
    expect(order.full).toBe(true);
    const heavy = new Order();
    const data = new Uint8Array(512 * 1024);
    for (let sequence = 2; sequence <= 129; sequence += 1) heavy.put({ ...message(sequence), data });
    expect(heavy.full).toBe(true);
    heavy.restart(0);
    expect(heavy.full).toBe(false);
  });
});

describe("holes", () => {
  /** A stream of ten messages of which some are gone. */
  function bench(gone: readonly number[], next?: (sequence: number) => Promise<StreamMessage | undefined>) {
    const order = new Order();
    const out: number[] = [];
    const givenUp = vi.fn();
    const marks = vi.fn(async () => 11);
    const find = async (sequence: number) => {
      for (let at = sequence; at <= 11; at += 1) if (!gone.includes(at)) return message(at);
      return undefined;
    };
    const holes = new Holes({
      order,
      next: next ?? find,
      mark: marks,
      known: () => 10,
      onFilled: () => {
        for (const { sequence, message } of order.take()) if (message) out.push(sequence);
      },
      onGivenUp: givenUp,
    });
    return { order, holes, out, marks, givenUp };
  }

  test("what did not come is read, in order, and nothing is asked for twice", async () => {
    const { order, holes, out, marks } = bench([]);
    order.put(message(4));
    holes.fill();
    holes.fill();
    await vi.waitFor(() => expect(out).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]));
    expect(marks, "nothing was gone").not.toHaveBeenCalled();
  });

  test("where something is gone, it goes on to a mark that was set after that was known", async () => {
    const { holes, out, marks } = bench([2, 3, 7]);
    holes.fill();
    await vi.waitFor(() => expect(out).toEqual([1, 4, 5, 6, 8, 9, 10, 11]));
    expect(marks).toHaveBeenCalledTimes(1);
  });

  test("a replica that is behind is asked again, and an error is no end", async () => {
    let asked = 0;
    const { holes, out } = bench([], async (sequence) => {
      asked += 1;
      if (asked % 3 === 1) return undefined;
      if (asked % 3 === 2) throw new Error("away");
      return message(sequence);
    });
    holes.fill();
    await vi.waitFor(() => expect(out).toHaveLength(10), { timeout: 5_000 });
  });

  test("more than 10,000 that are gone are not walked through", async () => {
    const { holes, givenUp } = bench([], async () => message(20_000));
    holes.fill();
    await vi.waitFor(() => expect(givenUp).toHaveBeenCalledWith("too much was missed"));
  });
});

describe("the writer", () => {
  function writer(publish: StreamCalls["publish"]) {
    const spec = natsSettings().state;
    const calls = {
      publish,
      head: async () => ({ created: "now", lastSequence: 0 }),
    } as unknown as StreamCalls;
    const follower = new StreamFollower({
      api: calls,
      spec,
      logger: silentLogger,
      onSuspicion: () => undefined,
    });
    const watch = new StreamWatch(
      {
        api: calls,
        spec,
        follower,
        logger: silentLogger,
        everyMs: 1_000,
        connected: () => true,
        leave: () => undefined,
        recreate: async () => undefined,
      },
      "now",
    );
    const made = new StreamWriter({ api: calls, spec, follower, watch, writeWaitMs: 0 });
    return {
      append: (key: string) => made.append("snapshots", { key, body: 1, expect: 0, messageId: "m" }),
      stop: async () => {
        follower.stop();
        await watch.stop();
      },
    };
  }

  test("a leader that knows the id and no sequence is asked again with the same id, until it knows", async () => {
    const ids: string[] = [];
    const { append, stop } = writer(async ({ id }) => {
      ids.push(id);
      return ids.length < 3 ? { sequence: 0, duplicate: true } : { sequence: 7, duplicate: true };
    });
    expect(await append("k")).toEqual({ sequence: 7 });
    expect(new Set(ids).size).toBe(1);
    await stop();
  });

  test("a write that is refused for one that is on its way is made again, until that one is stored or gone", async () => {
    let attempts = 0;
    const { append, stop } = writer(async ({ expect: expected }) => {
      attempts += 1;
      if (attempts < 3) throw new WrongSequence(expected ?? 0);
      throw new WrongSequence(7);
    });
    await expect(append("k")).rejects.toMatchObject({ name: "JournalConflict", actual: 7 });
    expect(attempts).toBe(3);
    await stop();
  });

  test("three in a row without an answer are said in the log, once, until one is answered", async () => {
    const said: string[] = [];
    const watch = new StreamWatch(
      {
        api: { head: async () => ({ created: "now", lastSequence: 0 }) } as unknown as StreamCalls,
        spec: natsSettings().state,
        follower: { known: 0, caughtUp: true, expect: () => undefined } as unknown as StreamFollower,
        logger: { ...silentLogger, warn: (_: object, message: string) => void said.push(message) },
        everyMs: 1_000,
        connected: () => true,
        leave: () => undefined,
        recreate: async () => undefined,
      },
      "now",
    );
    for (const answered of [false, false, true, false, false, false, false, true, false, false, false])
      if (answered) watch.answered();
      else watch.unanswered();
    expect(said).toEqual(Array(2).fill(expect.stringContaining("writes are not answered")));
    await watch.stop();
  });

  test("64 are in flight, 4,096 wait, and the next one is told that it is too busy", async () => {
    let inFlight = 0;
    const { append, stop } = writer(() => {
      inFlight += 1;
      return new Promise(() => undefined);
    });
    for (let n = 0; n < 64 + 4_096; n += 1) void append(`k${n}`);
    await vi.waitFor(() => expect(inFlight).toBe(64));
    await expect(append("one more")).rejects.toMatchObject({
      name: "JournalUnavailable",
      inDoubt: false,
      message: expect.stringContaining("too busy"),
    });
    await stop();
  });

  test("no answer is doubt, a refusal is none", () => {
    const named = (name: string) => Object.assign(new Error("why"), { name });
    expect(unavailable(named("TimeoutError"), "x")).toBeInstanceOf(Unanswered);
    expect(unavailable(named("TimeoutError"), "x").inDoubt).toBe(true);
    expect(unavailable(named("RequestError"), "x").inDoubt, "the connection was lost").toBe(true);
    expect(unavailable(named("JetStreamNotEnabled"), "x").inDoubt, "nobody took it").toBe(false);
    expect(unavailable(named("JetStreamApiError"), "x").inDoubt).toBe(false);
    const already = new JournalUnavailable("x", { inDoubt: false });
    expect(unavailable(already, "y")).toBe(already);
  });
});

describe("what the servers answer to a write", () => {
  const publication = { stream: "S", subject: "s.k", data: new Uint8Array(), id: "m", expect: 0 };

  /** A server that refuses a write with an error of JetStream, and knows an id or not. */
  async function refusing(
    code: number,
    newest?: { readonly seq: number; readonly id: string },
    known?: number | "no answer",
  ) {
    const packages = await loadNatsPackages();
    const refusal = (code: number) =>
      Object.assign(new Error("refused"), { name: "JetStreamApiError", code });
    const asked: object[] = [];
    const js = {
      publish: async (_subject: string, _data: unknown, options: { readonly headers?: unknown }) => {
        asked.push(options);
        if (options.headers === undefined) throw refusal(code);
        if (known === undefined) throw refusal(10070);
        if (known === "no answer") throw Object.assign(new Error("timeout"), { name: "TimeoutError" });
        return { seq: known, duplicate: true };
      },
    };
    const streams = {
      info: async () => ({ created: "now", state: { last_seq: 9 }, config: { num_replicas: 1 } }),
      getMessage: async () => {
        if (!newest) throw refusal(10037);
        const header = packages.transport.headers();
        header.set("Nats-Msg-Id", newest.id);
        return { ...newest, subject: "s.k", header, data: new Uint8Array() };
      },
    };
    const api = new NatsApi({} as never, {
      js: js as never,
      jsm: { streams } as never,
      packages,
      timeout: 1_000,
      fragile: false,
    });
    await api.head("S");
    return { api, asked };
  }

  test("an id that is under way is doubt, and no refusal", async () => {
    const { api } = await refusing(10158);
    expect(await api.publish(publication)).toEqual({ sequence: 0, duplicate: true });
  });

  test("a message that lost its comparison to itself is stored", async () => {
    const { api } = await refusing(10071, { seq: 5, id: "m" });
    expect(await api.publish(publication)).toEqual({ sequence: 5, duplicate: true });
  });

  test("one that lost it to a newer message of the record is stored, if the server knows its id", async () => {
    const { api, asked } = await refusing(10071, { seq: 7, id: "newer" }, 5);
    expect(await api.publish(publication)).toEqual({ sequence: 5, duplicate: true });
    expect(asked).toHaveLength(2);
  });

  test("one of which the server does not say whether it knows the id is in doubt, and has not lost", async () => {
    const { api } = await refusing(10071, { seq: 7, id: "newer" }, "no answer");
    await expect(api.publish(publication)).rejects.toMatchObject({
      name: "JournalUnavailable",
      inDoubt: true,
    });
  });

  test.each([10071, 10164])("one whose id nobody knows lost it to another: %i", async (code) => {
    const { api } = await refusing(code, { seq: 7, id: "another" });
    await expect(api.publish(publication)).rejects.toMatchObject({ name: "WrongSequence", actual: 7 });
  });
});

test("what a copy does not answer is asked of the leader, and so is what comes soon after", async () => {
  const packages = await loadNatsPackages();
  const header = packages.transport.headers();
  const asked: string[] = [];
  const jsm = {
    direct: {
      getMessage: () => {
        asked.push("a copy");
        return new Promise(() => undefined);
      },
    },
    streams: {
      getMessage: async (_stream: string, { seq }: { readonly seq: number }) => {
        asked.push("the leader");
        return { seq, subject: "s.k", header, data: new Uint8Array() };
      },
    },
  };
  const api = new NatsApi({} as never, {
    js: {} as never,
    jsm: jsm as never,
    packages,
    timeout: 20,
    fragile: false,
  });
  expect(await api.next("S", 7)).toMatchObject({ sequence: 7 });
  expect(await api.next("S", 8)).toMatchObject({ sequence: 8 });
  expect(asked).toEqual(["a copy", "the leader", "the leader"]);
});
