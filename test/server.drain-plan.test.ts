/** P14: the course of a drain. Fake timers, no sockets. */
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { drainConnections, planDrain } from "../src/server/drain.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

type Answer = "moves" | "closes" | "never";

function crowd(answers: readonly Answer[]) {
  const open = new Set<number>(answers.keys());
  const log: { at: number; what: string; who: number }[] = [];
  let waiters: (() => void)[] = [];
  const note = (what: string, who: number) => log.push({ at: Date.now() - start, what, who });
  const leave = (who: number): void => {
    open.delete(who);
    if (open.size === 0) for (const wake of waiters.splice(0)) wake();
  };
  const start = Date.now();
  const connections = {
    all: () =>
      [...open].map((who) => ({
        kind: "socket" as const,
        address: undefined,
        identified: true,
        buffered: () => 0,
        stalled: () => false,
        notify: () => {
          note("notice", who);
          if (answers[who] === "moves") setTimeout(() => leave(who), 100);
        },
        close: () => {
          note("close", who);
          if (answers[who] === "closes") setTimeout(() => leave(who), 10);
        },
        terminate: () => {
          note("terminate", who);
          leave(who);
        },
      })),
    empty: () =>
      open.size === 0
        ? Promise.resolve()
        : new Promise<void>((resolve) => {
            waiters = [...waiters, resolve];
          }),
  };
  return { connections, log, open, of: (what: string) => log.filter((line) => line.what === what) };
}

async function run(answers: readonly Answer[], options = {}) {
  const all = crowd(answers);
  let done = -1;
  const start = Date.now();
  void drainConnections(all.connections, planDrain(options)).then(() => {
    done = Date.now() - start;
  });
  await vi.advanceTimersByTimeAsync(20_000);
  return { ...all, done };
}

test("P14 each client is told once, in waves spread over 3 s", async () => {
  const { of } = await run(Array.from({ length: 1_000 }, () => "moves" as const));
  const notices = of("notice");
  expect(new Set(notices.map((line) => line.who)).size).toBe(1_000);
  expect(notices).toHaveLength(1_000);
  const waves = new Set(notices.map((line) => line.at));
  expect(waves.size).toBe(20);
  expect(Math.max(...waves)).toBe(2_850);
});

test("P14 who has moved is left alone, who has not gets 1001, who ignores that is cut, all inside 10 s", async () => {
  const { of, open, done } = await run(["moves", "closes", "never"]);
  expect(of("close").map((line) => line.who)).toEqual([1, 2]);
  expect(of("terminate").map((line) => line.who)).toEqual([2]);
  expect(open.size).toBe(0);
  expect(done).toBeLessThan(10_000);
});

test.each([{}, { overMs: 60_000 }, { overMs: 0 }, { deadlineMs: 1_000 }, { overMs: 9_999, deadlineMs: 500 }])(
  "P14 the plan for %j ends before its deadline, with time left for the HTTP server",
  async (options: { overMs?: number; deadlineMs?: number }) => {
    const { deadlineMs = 10_000 } = options;
    const { overMs, graceMs, closeMs } = planDrain(options);
    expect(overMs + graceMs + closeMs).toBeLessThanOrEqual(deadlineMs * 0.9);
    const { done } = await run(
      Array.from({ length: 50 }, () => "never" as const),
      options,
    );
    expect(done).toBeGreaterThanOrEqual(0);
    expect(done).toBeLessThanOrEqual(deadlineMs);
  },
);

test("a drain ends as soon as nobody is left, at once when nobody was there", async () => {
  expect((await run([])).done).toBe(0);
  expect((await run(["moves", "moves"])).done).toBeLessThan(300);
  expect(vi.getTimerCount()).toBe(0);
});
