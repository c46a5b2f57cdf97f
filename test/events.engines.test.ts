/** P13 for random programs on the engines: the same programs and checks as on memory, over a disk and over a server. */
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Through } from "../src/journal/nats/engine.ts";
import { EventProgram } from "./helpers/event-program.ts";
import { type EventStep, eventSteps } from "./helpers/event-program-steps.ts";
import { throughFaults } from "./helpers/nats-faults.ts";
import { type NatsServer, NO_NATS_SERVER, natsServer, natsTitle } from "./helpers/nats-server.ts";
import { embeddedOrder, type NewOrder, natsOrder } from "./helpers/nodes-orders.ts";

const TIMEOUT_MS = 120_000;

async function programs(
  newOrder: NewOrder,
  numRuns: number,
  leaveOut: readonly EventStep["do"][] = [],
): Promise<EventProgram["seen"]> {
  const seen = { events: 0, gaps: 0, certain: 0, resumed: 0 };
  const steps = eventSteps.map((all) => all.filter(({ do: what }) => !leaveOut.includes(what)));
  await fc.assert(
    fc.asyncProperty(steps, fc.constantFrom(3, 40), async (program, eventsPerProject) => {
      const run = new EventProgram({ eventsPerProject, newOrder });
      await run.run(program);
      for (const key of Object.keys(seen) as (keyof typeof seen)[]) seen[key] += run.seen[key];
    }),
    { numRuns, endOnFailure: true },
  );
  return seen;
}

test("P13 holds on the embedded engine, which is closed and killed in the middle", {
  timeout: TIMEOUT_MS,
}, async () => {
  const seen = await programs(embeddedOrder, 15);
  expect(seen.events).toBeGreaterThan(50);
  expect(seen.resumed).toBeGreaterThan(5);
});

describe.skipIf(NO_NATS_SERVER)(natsTitle("events on NATS"), { timeout: TIMEOUT_MS }, () => {
  let server: NatsServer;
  beforeAll(async () => {
    server = await natsServer();
  });
  afterAll(async () => server?.[Symbol.asyncDispose]());

  test("P13 holds on two nodes", async () => {
    const seen = await programs(natsOrder(server), 10);
    expect(seen.events).toBeGreaterThan(30);
    expect(seen.resumed).toBeGreaterThan(3);
  });

  test("P13 holds on two nodes that lose half of what is told live", async () => {
    let n = 0;
    const through: Through = throughFaults({ losesLive: () => n++ % 2 === 0, losesAnswer: () => false });
    const seen = await programs(natsOrder(server, through), 6);
    expect(seen.events).toBeGreaterThan(20);
  });
});
