/** P13 for random programs: publishes, trims, drops, resumes, restarts, nodes that lag, orders that are replaced. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { untilEnough } from "./helpers/enough.ts";
import { EventProgram } from "./helpers/event-program.ts";
import { eventSteps } from "./helpers/event-program-steps.ts";

describe("P13 every committed event reaches every subscriber once, in order, or a gap names what may be missing", () => {
  test.each([
    ["one after the other", undefined, 5],
    ["with gaps", 7, 5],
    ["hardly ever trimmed", 3, 40],
  ] as const)(
    "in an order %s",
    async (_, gaps, eventsPerProject) => {
      const seen = { events: 0, gaps: 0, certain: 0, resumed: 0 };
      const certain = eventsPerProject === 5 ? 20 : 0;
      const round = (): Promise<void> =>
        fc.assert(
          fc.asyncProperty(eventSteps, async (steps) => {
            let n = 0;
            const step = (): number => {
              n += 1;
              return 1 + (n % (gaps ?? 1));
            };
            const program = new EventProgram({ eventsPerProject, step });
            await program.run(steps);
            for (const key of Object.keys(seen) as (keyof typeof seen)[]) seen[key] += program.seen[key];
          }),
          { numRuns: 60 },
        );
      await untilEnough(round, () => seen.events >= 500 && seen.resumed >= 50 && seen.certain >= certain);
      expect(seen.events).toBeGreaterThanOrEqual(500);
      expect(seen.resumed).toBeGreaterThanOrEqual(50);
      expect(seen.certain).toBeGreaterThanOrEqual(certain);
    },
    120_000,
  );
});
