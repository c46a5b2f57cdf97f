/**
 * P1 to P6, for random programs: every frame that anybody is given is checked against the order itself. A failure
 * prints its seed and the shortest program that fails.
 */
import fc from "fast-check";
import { afterEach, beforeEach, test, vi } from "vitest";
import { runProgram } from "./helpers/program-run.ts";
import { fairWeather, foulWeather } from "./helpers/program-steps.ts";

beforeEach(() => void vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] }));
afterEach(() => void vi.useRealTimers());

const gaps = fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 3 });
const tombstonesPerScope = fc.constantFrom(1, 2, 10_000);
const TIMEOUT_MS = 120_000;

test("P1 P2 P3 P4 P5 P6 hold on the memory engine", { timeout: TIMEOUT_MS }, async () => {
  await fc.assert(
    fc.asyncProperty(fairWeather, tombstonesPerScope, (steps, tombstonesPerScope) =>
      runProgram({ steps, gaps: [], tombstonesPerScope }),
    ),
    { numRuns: 800 },
  );
});

test("P1 P2 P3 P4 P5 P6 hold on the memory engine with gaps", { timeout: TIMEOUT_MS }, async () => {
  await fc.assert(
    fc.asyncProperty(fairWeather, tombstonesPerScope, gaps, (steps, tombstonesPerScope, gaps) =>
      runProgram({ steps, gaps, tombstonesPerScope }),
    ),
    { numRuns: 800 },
  );
});

test("P1 P2 P3 P4 P5 P6 hold behind every fault that a network and an engine have", {
  timeout: TIMEOUT_MS,
}, async () => {
  await fc.assert(
    fc.asyncProperty(foulWeather, tombstonesPerScope, gaps, (steps, tombstonesPerScope, gaps) =>
      runProgram({ steps, gaps, tombstonesPerScope }),
    ),
    { numRuns: 1_500 },
  );
});
