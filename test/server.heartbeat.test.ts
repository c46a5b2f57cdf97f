/** When a silent socket is ended. Fake timers, no sockets. */
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { type Beating, createHeartbeat } from "../src/server/heartbeat.ts";

const LIMITS = { pingEveryMs: 30_000, pongWithinMs: 10_000, stalledMs: 120_000 };

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** A peer that a test moves by hand. */
function peer() {
  const state = { received: 0, waiting: 0, flow: 0, pings: 0, ended: false };
  const one: Beating = {
    ping: () => void state.pings++,
    terminate: () => {
      state.ended = true;
    },
    received: () => state.received,
    waiting: () => state.waiting,
    flow: () => state.flow,
  };
  return { state, one };
}

test("A4 every socket is pinged every 30 s, by one timer for all", () => {
  using heartbeat = createHeartbeat(LIMITS);
  const peers = Array.from({ length: 1_000 }, peer);
  for (const { one } of peers) heartbeat.add(one);
  expect(vi.getTimerCount()).toBe(1);
  vi.advanceTimersByTime(29_999);
  expect(peers[0]?.state.pings).toBe(0);
  vi.advanceTimersByTime(1);
  expect(peers.every(({ state }) => state.pings === 1)).toBe(true);
  expect(vi.getTimerCount(), "a second one, only while pongs are due").toBe(2);
  for (const { state } of peers) state.received++;
  vi.advanceTimersByTime(10_000);
  expect(vi.getTimerCount()).toBe(1);
  vi.advanceTimersByTime(20_000);
  expect(peers.every(({ state }) => state.pings === 2 && !state.ended)).toBe(true);
});

test("a socket without a sign of life for 10 s after the ping is ended, one with any byte is not", () => {
  using heartbeat = createHeartbeat(LIMITS);
  const dead = peer();
  const alive = peer();
  for (const { one } of [dead, alive]) heartbeat.add(one);
  vi.advanceTimersByTime(30_000);
  alive.state.received++;
  vi.advanceTimersByTime(9_999);
  expect(dead.state.ended).toBe(false);
  vi.advanceTimersByTime(1);
  expect([dead.state.ended, alive.state.ended]).toEqual([true, false]);
});

test("what came in before the ping does not count, nor does what a half-open kernel buffer takes", () => {
  using heartbeat = createHeartbeat(LIMITS);
  const { one, state } = peer();
  heartbeat.add(one);
  state.received = 99;
  vi.advanceTimersByTime(30_000);
  state.flow = 5_000; // nothing waited: the kernel took it, not the peer
  vi.advanceTimersByTime(10_000);
  expect(state.ended).toBe(true);
});

test("one that came after the ping is judged after the next", () => {
  using heartbeat = createHeartbeat(LIMITS);
  heartbeat.add(peer().one);
  vi.advanceTimersByTime(30_000);
  const late = peer();
  heartbeat.add(late.one);
  vi.advanceTimersByTime(29_999);
  expect(late.state).toMatchObject({ pings: 0, ended: false });
  vi.advanceTimersByTime(10_001);
  expect(late.state).toMatchObject({ pings: 1, ended: true });
});

test("P4 a slow peer that takes some of what waits is never ended", () => {
  using heartbeat = createHeartbeat(LIMITS);
  const { one, state } = peer();
  heartbeat.add(one);
  state.waiting = 300_000;
  for (let minutes = 0; minutes < 60; minutes++) {
    state.flow++;
    vi.advanceTimersByTime(35_000);
    state.flow++;
    vi.advanceTimersByTime(25_000);
  }
  expect(state.ended).toBe(false);
});

test("P4 a peer that takes nothing of what waits is ended after 120 s, and a byte in between starts over", () => {
  using heartbeat = createHeartbeat(LIMITS);
  const { one, state } = peer();
  heartbeat.add(one);
  state.waiting = 300_000;
  vi.advanceTimersByTime(100_000);
  expect(state.ended).toBe(false);
  state.received++; // between two pings: too early to be an answer
  vi.advanceTimersByTime(22_000);
  state.received++; // within ten seconds of the ping at 120 s
  vi.advanceTimersByTime(10_000);
  expect(state.ended).toBe(false);
  vi.advanceTimersByTime(100_000);
  expect(state.ended).toBe(false);
  vi.advanceTimersByTime(30_000);
  expect(state.ended).toBe(true);
});

test("P9 without sockets there is no timer", () => {
  const heartbeat = createHeartbeat(LIMITS);
  expect(vi.getTimerCount()).toBe(0);
  const leave = [peer(), peer()].map(({ one }) => heartbeat.add(one));
  vi.advanceTimersByTime(30_000);
  for (const go of leave) go();
  for (const go of leave) go();
  expect([vi.getTimerCount(), heartbeat.size]).toEqual([0, 0]);
  heartbeat.add(peer().one);
  expect(vi.getTimerCount()).toBe(1);
  heartbeat[Symbol.dispose]();
  expect([vi.getTimerCount(), heartbeat.size]).toEqual([0, 0]);
});

test("its timers are the caller's when given, and do not hold the process", () => {
  const unref = vi.fn();
  const timers = { setTimeout: vi.fn(() => ({ unref })), clearTimeout: vi.fn() };
  const heartbeat = createHeartbeat({ ...LIMITS, timers });
  const leave = heartbeat.add(peer().one);
  expect(timers.setTimeout).toHaveBeenCalledExactlyOnceWith(expect.any(Function), 30_000);
  expect(unref).toHaveBeenCalledOnce();
  leave();
  expect(timers.clearTimeout).toHaveBeenCalledOnce();
});
