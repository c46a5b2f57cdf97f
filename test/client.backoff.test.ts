import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { backoffDelay, backoffOf, Pacer } from "../client/backoff.ts";

describe("backoffDelay", () => {
  test("is at least the floor and at most the cap, for every attempt and every random number", () => {
    fc.assert(
      fc.property(
        fc.nat({ max: 10_000 }),
        fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
        fc.integer({ min: 1, max: 5_000 }),
        fc.integer({ min: 1, max: 60_000 }),
        (attempt, random, floorMs, capMs) => {
          const delay = backoffDelay(attempt, backoffOf({ floorMs, capMs, random: () => random }));
          expect(delay).toBeGreaterThanOrEqual(floorMs);
          expect(delay).toBeLessThanOrEqual(Math.max(floorMs, capMs));
        },
      ),
    );
  });

  test("spreads a thousand clients over the whole window, from the first attempt on", () => {
    for (const [attempt, widthMs] of [
      [0, 1_000],
      [3, 8_000],
    ] as const) {
      const buckets = new Set<number>();
      for (let client = 0; client < 1_000; client += 1)
        buckets.add(
          Math.floor(
            (backoffDelay(attempt, backoffOf({ random: () => client / 1_000 })) - 250) / (widthMs / 10),
          ),
        );
      expect([...buckets].sort()).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    }
  });

  test("has a floor above zero even when it is asked for none", () => {
    expect(backoffDelay(0, backoffOf({ floorMs: 0, random: () => 0 }))).toBe(1);
    expect(backoffDelay(0, backoffOf({ floorMs: -5, random: () => 0 }))).toBe(1);
  });
});

describe("Pacer", () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    expect(vi.getTimerCount()).toBe(0);
    vi.useRealTimers();
  });
  const pacer = (): Pacer => new Pacer(backoffOf({ random: () => 0.5 }));

  test("counts attempts until it is reset", () => {
    const it = pacer();
    expect([it.nextDelay(), it.nextDelay(), it.nextDelay()]).toEqual([750, 1_250, 2_250]);
    it.reset();
    expect(it.nextDelay()).toBe(750);
  });

  test("begins further along when it is told to", () => {
    const it = pacer();
    expect([it.nextDelay(3), it.nextDelay()]).toEqual([4_250, 8_250]);
  });

  test("ends a pause early when there is reason to hurry, with a fresh budget", async () => {
    const it = pacer();
    it.nextDelay();
    it.nextDelay();
    const over = vi.fn();
    const pause = it.pause(60_000).then(over);
    expect(it.waiting).toBe(true);
    it.hurry();
    await pause;
    expect(over).toHaveBeenCalledTimes(1);
    expect(it.waiting).toBe(false);
    expect(it.nextDelay()).toBe(750);
  });

  test("lets the next attempt pass at once when nobody was waiting, and only that one", () => {
    const it = pacer();
    it.hurry();
    expect([it.nextDelay(), it.nextDelay()]).toEqual([0, 1_250]);
  });
});
