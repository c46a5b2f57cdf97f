/** P1 to P6 for random programs on the embedded engine, which is closed or killed and opened again in the middle. */
import fc from "fast-check";
import { expect, test, vi } from "vitest";
import { untilEnough } from "./helpers/enough.ts";
import { runProgram } from "./helpers/program-run.ts";
import { fairWeather, foulWeather, type Step } from "./helpers/program-steps.ts";
import { RestartingJournal } from "./helpers/restarting-journal.ts";

const TIMEOUT_MS = 120_000;
const tombstonesPerScope = fc.constantFrom(1, 2, 10_000);
let restarts = 0;

async function run(steps: readonly Step[], tombstonesPerScope: number): Promise<void> {
  await using journal = new RestartingJournal();
  await journal.open();
  const beforeRestart = () => journal.restart();
  const idle = () => journal.idle();
  await runProgram({ steps, gaps: [], tombstonesPerScope, journal, beforeRestart, idle });
  restarts += journal.restarts;
}

test("P1 P2 P3 P4 P5 P6 P7 hold on the embedded engine over its restarts", {
  timeout: TIMEOUT_MS,
}, async () => {
  restarts = 0;
  const round = (): Promise<void> =>
    fc.assert(
      fc.asyncProperty(fairWeather, tombstonesPerScope, (steps, tombstones) => run(steps, tombstones)),
      { numRuns: 40 },
    );
  await untilEnough(round, () => restarts > 20);
  expect(restarts).toBeGreaterThan(20);
});

test("P1 P2 P3 P4 P5 P6 hold on the embedded engine behind every fault of a network", {
  timeout: TIMEOUT_MS,
}, async () => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] }); // what is waited for comes by waiting, not by a commit
  try {
    // Another order is another folder, which has tests of its own.
    const inOneOrder = foulWeather.map((steps) => steps.filter(({ do: what }) => what !== "replace"));
    await fc.assert(
      fc.asyncProperty(inOneOrder, tombstonesPerScope, (steps, tombstones) => run(steps, tombstones)),
      { numRuns: 40 },
    );
  } finally {
    vi.useRealTimers();
  }
});
