/** P12 for random programs of senders, devices, drops, take-overs, restarts and crashes, on one node and on two. */
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { settle } from "./helpers/agents.ts";
import { Program } from "./helpers/agents-program.ts";
import { programs } from "./helpers/agents-program-steps.ts";
import { NOON } from "./helpers/store-parts.ts";

beforeEach(() => {
  vi.useFakeTimers({
    toFake: ["setTimeout", "clearTimeout", "setInterval", "clearInterval", "Date"],
    now: NOON,
  });
});
afterEach(() => {
  vi.useRealTimers();
});

const pass = async (ms: number): Promise<void> => {
  await vi.advanceTimersByTimeAsync(ms);
  await settle();
};

describe("P12 delivery", () => {
  test.each([
    ["one node", 1],
    ["two nodes that share an order", 2],
  ])(
    "on %s: in the order of acceptance, one in flight, each attempt a new number, fenced, once per key, and in the end everything",
    { timeout: 120_000 },
    async (_name, nodes) => {
      await fc.assert(
        fc.asyncProperty(programs, async (steps) => {
          vi.clearAllTimers(); // those of a run that failed
          const program = new Program({ nodes, pass });
          try {
            await program.run(steps);
            expect(program.violations).toEqual([]);
          } finally {
            await program.close();
          }
          await settle();
          expect(vi.getTimerCount()).toBe(0);
        }),
        { numRuns: 300 },
      );
    },
  );
});
