/** Waiting before the first frame: for a backlog, for a position from elsewhere, for the first pass. No sockets here. */
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { Feed } from "../src/feed/feed.ts";
import { iterate, type SendRoom } from "../src/feed/iterate.ts";
import { createMemoryJournal } from "../src/journal/memory.ts";
import { formatPosition } from "../src/protocol/position.ts";
import { JournalFaults, withFaults } from "./helpers/faulty-journal.ts";
import { openedToy, type ToyEntry, toyNode } from "./helpers/toy-collection.ts";
import { drain, subscribed, toyFeed } from "./helpers/toy-feed.ts";

beforeEach(() => void vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] }));
afterEach(() => void vi.useRealTimers());

const turn = () => new Promise((resolve) => setImmediate(resolve));

/** Two nodes on one journal; `two` can lag. */
async function nodes() {
  const journal = createMemoryJournal();
  await journal.open();
  const lag = new JournalFaults();
  const one = await openedToy(journal);
  const two = await openedToy(withFaults(journal, lag));
  return { journal, lag, one, two, toy: toyFeed(two) };
}

/** Nobody watches, nobody waits, no timer runs. */
function expectNothingLeft(feed: Feed<ToyEntry, string>, waiting: number): void {
  expect({ size: feed.size, scopes: feed.watchedScopes, waiting, timers: vi.getTimerCount() }).toEqual({
    size: 0,
    scopes: 0,
    waiting: 0,
    timers: 0,
  });
}

describe("R8 a position that this node has not reached", () => {
  async function ahead() {
    const parts = await nodes();
    const { one, two, lag, toy } = parts;
    await one.write("a", { scope: "s", value: "1" });
    lag.hold();
    await one.write("a", { value: "2" });
    await one.write("b", { scope: "s", value: "2" });
    const subscription = toy.feed.join("s");
    const begun = toy.feed.begin(subscription, formatPosition(two.collection.tagOf("s"), 3));
    begun.catch(() => undefined);
    await turn();
    return { ...parts, subscription, begun };
  }

  test("is waited for, and never answered with older state", async () => {
    const { lag, subscription, begun, two } = await ahead();
    expect(drain(subscription)).toEqual([]);
    lag.release(2); // the second commit
    await turn();
    expect(drain(subscription)).toEqual([]);
    lag.release();
    await begun;
    expect(drain(subscription)).toEqual(["3.r resumed until 3 missed 0"]);
    expect(two.collection.waiting).toBe(0);
    expect(vi.getTimerCount()).toBe(0);
  });

  test("is given up after 10 s, so that the client tries another node, and nothing is left behind", async () => {
    const { subscription, begun, two, toy } = await ahead();
    await vi.advanceTimersByTimeAsync(9_999);
    expect(two.collection.waiting).toBe(1);
    await vi.advanceTimersByTimeAsync(1);
    await expect(begun).rejects.toMatchObject({ reason: "behind" });
    expect(drain(subscription)).toEqual([]);
    subscription.close();
    expectNothingLeft(toy.feed, two.collection.waiting);
  });

  test("is not waited for any more when the subscriber has left", async () => {
    const { subscription, begun, two, toy } = await ahead();
    subscription.close();
    await begun;
    expectNothingLeft(toy.feed, two.collection.waiting);
  });

  test("is foreign when the order is replaced meanwhile", async () => {
    const { lag, subscription, begun, two } = await ahead();
    const other = createMemoryJournal();
    await other.open();
    lag.release(0);
    const replaced = lag.replaceOrder(other);
    lag.release();
    await replaced;
    await begun;
    expect(drain(subscription)).toEqual(["0.f full epoch-changed: "]);
    expect(two.collection.waiting).toBe(0);
    expect(vi.getTimerCount()).toBe(0);
  });

  test("is waited for too while the engine cannot say its head: silence of the engine is no answer", async () => {
    const { lag, one, two, toy } = await nodes();
    await one.write("a", { scope: "s", value: "1" });
    lag.hold();
    await one.write("a", { value: "2" });
    lag.away("no quorum");
    const subscription = toy.feed.join("s");
    const begun = toy.feed.begin(subscription, formatPosition(two.collection.tagOf("s"), 2));
    await turn();
    expect(drain(subscription)).toEqual([]);
    lag.heal();
    await begun;
    expect(drain(subscription)).toEqual(["2.r resumed until 2 missed 0"]);
  });

  test.each([
    ["says that it is away", (lag: JournalFaults): void => lag.away("no quorum")],
    ["says nothing at all", (lag: JournalFaults): void => lag.heads.hold()],
  ] as const)("while the engine %s ends as one that was not reached", async (_, silence) => {
    const { lag, two, toy } = await nodes();
    silence(lag);
    const subscription = toy.feed.join("s");
    const begun = toy.feed.begin(subscription, formatPosition(two.collection.tagOf("s"), 2));
    begun.catch(() => undefined);
    await vi.advanceTimersByTimeAsync(12_000);
    await expect(begun).rejects.toMatchObject({ reason: "behind" });
    subscription.close();
    expectNothingLeft(toy.feed, two.collection.waiting);
  });

  test("is not asked about any more when the subscriber has left", async () => {
    const { lag, two, toy } = await nodes();
    lag.heads.held = true;
    const subscription = toy.feed.join("s");
    const begun = toy.feed.begin(subscription, formatPosition(two.collection.tagOf("s"), 2));
    await turn();
    subscription.close();
    await begun;
    expectNothingLeft(toy.feed, two.collection.waiting);
  });
});

describe("a backlog that is not in", () => {
  test("is waited for, by whoever asks for whatever", async () => {
    const { journal } = await nodes();
    const faults = new JournalFaults();
    const node = toyNode(withFaults(journal, faults));
    const toy = toyFeed(node);
    await node.collection.open();
    faults.hold();
    const again = faults.followAgain();
    faults.release(1);
    const subscription = toy.feed.join("s");
    const begun = toy.feed.begin(subscription, null);
    await turn();
    expect(drain(subscription)).toEqual([]);
    faults.release();
    await Promise.all([again, begun]);
    expect(drain(subscription)).toEqual(["0.f full first: "]);
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe("the first pass of the sources", () => {
  test("is waited for by a new subscriber, 5 s at most, who then gets what there is and hears of the rest", async () => {
    const { two, toy } = await nodes();
    toy.complete = false;
    const subscription = toy.feed.join("s");
    const begun = toy.feed.begin(subscription, undefined);
    await turn();
    await two.write("a", { scope: "s", value: "1" });
    expect(drain(subscription)).toEqual([]);
    await vi.advanceTimersByTimeAsync(5_000);
    await begun;
    expect(drain(subscription)).toEqual(["1.f full first incomplete: a=1"]);
    toy.complete = true;
    toy.feed.wakeAll();
    expect(drain(subscription)).toEqual(["1.p progress true"]);
    expect(vi.getTimerCount()).toBe(0);
  });

  test("over early is waited for no longer", async () => {
    const { toy } = await nodes();
    toy.complete = false;
    const subscription = toy.feed.join("s");
    const begun = toy.feed.begin(subscription, undefined);
    await turn();
    toy.complete = true;
    toy.feed.wakeAll();
    await begun;
    expect(drain(subscription)).toEqual(["0.f full first: "]);
    expect(vi.getTimerCount()).toBe(0);
  });

  test("is not waited for by one that resumes: what it has is more than nothing", async () => {
    const { two, toy } = await nodes();
    await two.write("a", { scope: "s", value: "1" });
    toy.complete = false;
    const subscription = await subscribed(toy, "s", formatPosition(two.collection.tagOf("s"), 1));
    expect(drain(subscription)).toEqual(["1.r resumed until 1 missed 0", "1.p progress false"]);
  });

  test("leaves nothing behind when the subscriber leaves meanwhile", async () => {
    const { two, toy } = await nodes();
    toy.complete = false;
    const subscription = toy.feed.join("s");
    const begun = toy.feed.begin(subscription, undefined);
    await turn();
    subscription.close();
    await begun;
    expectNothingLeft(toy.feed, two.collection.waiting);
  });
});

test("P8 a thousand subscribers that come and go at every stage leave nothing", async () => {
  const { lag, one, two, toy } = await nodes();
  await one.write("a", { scope: "s", value: "1" });
  lag.hold();
  await one.write("a", { value: "2" });
  const tag = two.collection.tagOf("s");
  const stages = [
    undefined,
    formatPosition(tag, 2), // waits for this node
    formatPosition(tag, 0),
    "garbage",
  ];
  const begun: Promise<void>[] = [];
  for (let n = 0; n < 1_000; n += 1) {
    toy.complete = n % 3 !== 0;
    const subscription = toy.feed.join(n % 2 === 0 ? "s" : `other ${n}`);
    begun.push(toy.feed.begin(subscription, stages[n % stages.length]));
    if (n % 5 === 0) await turn();
    if (n % 7 === 0) drain(subscription);
    subscription.close();
  }
  await Promise.all(begun);
  expectNothingLeft(toy.feed, two.collection.waiting);
});

describe("iterating", () => {
  async function iterated(lastEventId?: string) {
    const { two, toy } = await nodes();
    const subscription = toy.feed.join("s");
    const abort = new AbortController();
    const frames = iterate(subscription, {
      begin: () => toy.feed.begin(subscription, lastEventId),
      signal: abort.signal,
    });
    return { two, toy, subscription, abort, frames };
  }

  test("yields what take gives, and sleeps in between without a timer", async () => {
    const { two, toy, frames, abort } = await iterated();
    const first = await frames.next();
    expect(first.value?.data).toBe("full first: ");
    const next = frames.next();
    await turn();
    expect(vi.getTimerCount()).toBe(0);
    await two.write("a", { scope: "s", value: "1" });
    expect((await next).value?.data).toBe("a=1");
    const last = frames.next();
    abort.abort();
    expect(await last).toEqual({ done: true, value: undefined });
    expectNothingLeft(toy.feed, two.collection.waiting);
  });

  test("R20 every subscriber of a scope is woken by a commit in it, and none of another scope", async () => {
    const { two, toy } = await nodes();
    const open = (scope: string) => {
      const subscription = toy.feed.join(scope);
      return iterate(subscription, { begin: () => toy.feed.begin(subscription, undefined) });
    };
    const watchers = [open("s"), open("s"), open("s")];
    const elsewhere = open("t");
    for (const frames of [...watchers, elsewhere]) await frames.next();
    const next = watchers.map((frames) => frames.next());
    let woken = false;
    const other = elsewhere.next().finally(() => {
      woken = true;
    });
    await turn();
    await two.write("a", { scope: "s", value: "1" });
    expect((await Promise.all(next)).map(({ value }) => value?.data)).toEqual(["a=1", "a=1", "a=1"]);
    expect(woken).toBe(false);
    toy.feed.close();
    await other;
    for (const frames of watchers) await frames.return();
    expectNothingLeft(toy.feed, two.collection.waiting);
  });

  test("P4 holds nothing between frames: one that is not asked for more stays where it is", async () => {
    const { two, toy, frames } = await iterated();
    await frames.next();
    for (let n = 0; n < 50; n += 1) await two.write(`k${n % 2}`, { scope: "s", value: `${n}` });
    const taken = [await frames.next(), await frames.next()].map(({ value }) => value?.data);
    expect(taken).toEqual(["k0=48", "k1=49"]);
    expect(toy.feed.counters.conflated).toBe(48);
    await frames.return();
    expectNothingLeft(toy.feed, two.collection.waiting);
  });

  test("of an aborted signal yields nothing and leaves at once", async () => {
    const { two, toy, frames, abort } = await iterated();
    abort.abort();
    expect(await frames.next()).toEqual({ done: true, value: undefined });
    expectNothingLeft(toy.feed, two.collection.waiting);
  });

  test("ends when the subscription is ended for good, after the frame that says why", async () => {
    const { toy, frames } = await iterated();
    await frames.next();
    const next = frames.next();
    toy.feed.end("s", "project-gone");
    expect((await next).value?.data).toBe("ended project-gone");
    expect((await frames.next()).done).toBe(true);
  });

  test("ends without a last word when the service stops", async () => {
    const { toy, frames } = await iterated();
    await frames.next();
    const next = frames.next();
    toy.feed.close();
    expect((await next).done).toBe(true);
  });

  test("that fails to begin leaves the feed", async () => {
    const { two, toy } = await nodes();
    const subscription = toy.feed.join("s");
    const frames = iterate(subscription, { begin: () => Promise.reject(new Error("no")) });
    await expect(frames.next()).rejects.toThrow("no");
    expectNothingLeft(toy.feed, two.collection.waiting);
  });

  test("takes a frame only while it holds the room to send, and gives the room back", async () => {
    const { two, toy } = await nodes();
    const subscription = toy.feed.join("s");
    let held = 0;
    let grant: (() => void) | undefined;
    let full = false;
    const room: SendRoom = {
      claim: () => {
        if (!full) {
          held += 1;
          return undefined;
        }
        return new Promise((resolve) => {
          grant = resolve;
        });
      },
      release: () => {
        held -= 1;
      },
    };
    const frames = iterate(subscription, { begin: () => toy.feed.begin(subscription, undefined), room });
    expect((await frames.next()).value?.data).toBe("full first: ");
    expect(held, "until the frame has been handed over").toBe(1);
    full = true;
    const next = frames.next();
    for (const value of ["1", "2", "3"]) await two.write("a", { scope: "s", value });
    await turn();
    expect(held).toBe(0);
    full = false;
    grant?.();
    expect((await next).value?.data, "the newest, once there is room").toBe("a=3");
    expect(held).toBe(1);
    await frames.return();
    expect(held).toBe(0);
    expectNothingLeft(toy.feed, two.collection.waiting);
  });

  test("that waits for room leaves when its signal says so", async () => {
    const { two, toy } = await nodes();
    const subscription = toy.feed.join("s");
    const abort = new AbortController();
    const frames = iterate(subscription, {
      begin: () => toy.feed.begin(subscription, undefined),
      signal: abort.signal,
      room: {
        claim: () => new Promise(() => undefined),
        release: () => expect.unreachable("it had no room"),
      },
    });
    const next = frames.next();
    await turn();
    abort.abort();
    expect((await next).done).toBe(true);
    expectNothingLeft(toy.feed, two.collection.waiting);
  });
});
