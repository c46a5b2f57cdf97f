import fc from "fast-check";
import { expect, test } from "vitest";
import { writeFileSync } from "node:fs";
import { Program, programs } from "./helpers/agents-program.ts";
import { embeddedOrder } from "./helpers/nodes-orders.ts";
test("dbg", { timeout: 100_000 }, async () => {
  await fc.assert(fc.asyncProperty(programs, async (steps) => {
    (globalThis as any).dbg = [];
    let ahead = 0;
    const program = new Program({ nodes: 1, newOrder: embeddedOrder, pass: async (ms) => { ahead += ms; }, room: { now: () => Date.now() + ahead, heartbeatEveryMs: 200, countsAfterMs: 5 } });
    await Promise.race([program.run(steps).then(() => program.close()), new Promise((_, reject) => setTimeout(() => { writeFileSync("/tmp/dbg.out", (globalThis as any).dbg.slice(-25).join("\n") + "\n" + JSON.stringify([(program as any).violations])); reject(new Error("hang")); }, 7000))]);
    expect(program.violations).toEqual([]);
  }), { numRuns: 1500, endOnFailure: true });
});
