/** P13 for random programs on the engines: the same programs and checks as on memory, over a disk and over a server. */
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Through } from "../src/journal/nats/engine.ts";
import { untilEnough } from "./helpers/enough.ts";
import { EventProgram } from "./helpers/event-program.ts";
import { eventSteps } from "./helpers/event-program-steps.ts";
import { throughFaults } from "./helpers/nats-faults.ts";
import { type NatsServer, NO_NATS_SERVER, natsServer, natsTitle } from "./helpers/nats-server.ts";
import { embeddedOrder, type NewOrder, natsOrder } from "./helpers/nodes-orders.ts";

const TIMEOUT_MS = 120_000;

async function programs(
  newOrder: NewOrder,
  numRuns: number,
  { events, resumed }: { readonly events: number; readonly resumed: number },
): Promise<void> {
  const seen = { events: 0, gaps: 0, certain: 0, resumed: 0 };
  const round = (): Promise<void> =>
    fc.assert(
      fc.asyncProperty(eventSteps, fc.constantFrom(3, 40), async (program, eventsPerProject) => {
        const run = new EventProgram({ eventsPerProject, newOrder });
        await run.run(program);
        for (const key of Object.keys(seen) as (keyof typeof seen)[]) seen[key] += run.seen[key];
      }),
      { numRuns, endOnFailure: true },
    );
  await untilEnough(round, () => seen.events >= events && seen.resumed >= resumed);
  expect(seen.events).toBeGreaterThanOrEqual(events);
  expect(seen.resumed).toBeGreaterThanOrEqual(resumed);
}

test("P13 holds on the embedded engine, which is closed and killed in the middle", {
  timeout: TIMEOUT_MS,
}, async () => {
  await programs(embeddedOrder, 15, { events: 50, resumed: 5 });
});

describe.skipIf(NO_NATS_SERVER)(natsTitle("events on NATS"), { timeout: TIMEOUT_MS }, () => {
  let server: NatsServer;
  beforeAll(async () => {
    server = await natsServer();
  });
  afterAll(async () => server?.[Symbol.asyncDispose]());

  test("P13 holds on two nodes", async () => {
    await programs(natsOrder(server), 10, { events: 30, resumed: 3 });
  });

  test("P13 holds on two nodes that lose half of what is told live", async () => {
    let n = 0;
    const through: Through = throughFaults({ losesLive: () => n++ % 2 === 0, losesAnswer: () => false });
    await programs(natsOrder(server, through), 6, { events: 20, resumed: 0 });
  });
});
