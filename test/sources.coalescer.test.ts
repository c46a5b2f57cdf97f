/** Chatter waits for quiet, but never for ever. */
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Coalescer } from "../src/sources/coalescer.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function coalescing() {
  const flushed: { key: string; atMs: number }[] = [];
  const began = performance.now();
  const coalescer = new Coalescer({
    flush: (key) => void flushed.push({ key, atMs: performance.now() - began }),
  });
  return { coalescer, flushed };
}

test("a mark is flushed after 150 ms of quiet, once", () => {
  const { coalescer, flushed } = coalescing();
  coalescer.mark("w");
  vi.advanceTimersByTime(149);
  expect(flushed).toEqual([]);
  vi.advanceTimersByTime(10_000);
  expect(flushed).toEqual([{ key: "w", atMs: 150 }]);
});

test("each mark begins the quiet time again", () => {
  const { coalescer, flushed } = coalescing();
  coalescer.mark("w");
  vi.advanceTimersByTime(100);
  coalescer.mark("w");
  vi.advanceTimersByTime(149);
  expect(flushed).toEqual([]);
  vi.advanceTimersByTime(1);
  expect(flushed).toEqual([{ key: "w", atMs: 250 }]);
});

test("L-D6 steady chatter is flushed 1 s after its first mark, and each second after that", () => {
  const { coalescer, flushed } = coalescing();
  for (let i = 0; i < 250; i += 1) {
    coalescer.mark("w");
    vi.advanceTimersByTime(10);
  }
  expect(flushed.map(({ atMs }) => atMs)).toEqual([1_000, 2_000]);
});

test("keys wait for themselves only", () => {
  const { coalescer, flushed } = coalescing();
  coalescer.mark("a");
  vi.advanceTimersByTime(100);
  coalescer.mark("b");
  vi.advanceTimersByTime(10_000);
  expect(flushed).toEqual([
    { key: "a", atMs: 150 },
    { key: "b", atMs: 250 },
  ]);
});

test("cancelled or cleared, nothing is flushed and no timer is left", () => {
  const { coalescer, flushed } = coalescing();
  coalescer.mark("a");
  expect([coalescer.cancel("a"), coalescer.cancel("a")]).toEqual([true, false]);
  coalescer.mark("b");
  coalescer.mark("c");
  coalescer.clear();
  expect([coalescer.size, vi.getTimerCount()]).toEqual([0, 0]);
  vi.advanceTimersByTime(10_000);
  expect(flushed).toEqual([]);
});

test("flushed early it is not flushed again, and a key that does not wait is not flushed at all", () => {
  const { coalescer, flushed } = coalescing();
  coalescer.mark("a");
  coalescer.flush("a");
  coalescer.flush("b");
  vi.advanceTimersByTime(10_000);
  expect(flushed).toEqual([{ key: "a", atMs: 0 }]);
  expect(vi.getTimerCount()).toBe(0);
});

test("a mark during its own flush waits for the next one", () => {
  const flushed: number[] = [];
  const coalescer: Coalescer = new Coalescer({
    flush: () => {
      flushed.push(performance.now());
      if (flushed.length === 1) coalescer.mark("w");
    },
  });
  coalescer.mark("w");
  vi.advanceTimersByTime(150);
  expect(flushed).toHaveLength(1);
  vi.advanceTimersByTime(150);
  expect(flushed).toHaveLength(2);
  expect(vi.getTimerCount()).toBe(0);
});
