/** P12 for random programs on the engines: the same programs as on memory, over a disk and over a server. */
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Program } from "./helpers/agents-program.ts";
import { programs } from "./helpers/agents-program-steps.ts";
import { untilEnough } from "./helpers/enough.ts";
import { throughFaults } from "./helpers/nats-faults.ts";
import { type NatsServer, NO_NATS_SERVER, natsServer, natsTitle } from "./helpers/nats-server.ts";
import { embeddedOrder, type NewOrder, natsOrder } from "./helpers/nodes-orders.ts";

const TIMEOUT_MS = 60_000;

/** @param enough - How many messages devices must be handed in all. */
async function run(newOrder: NewOrder, nodes: number, numRuns: number, enough: number): Promise<void> {
  let handed = 0;
  const buried: Promise<unknown>[] = [];
  const one = async (steps: Parameters<Program["run"]>[0]): Promise<void> => {
    let ahead = 0;
    const program = new Program({
      nodes,
      newOrder,
      // The clock jumps, and the timers do not: a node may be taken for gone that is not.
      pass: async (ms) => {
        ahead += ms;
      },
      room: { now: () => Date.now() + ahead, heartbeatEveryMs: 200, countsAfterMs: 5 },
    });
    try {
      await program.run(steps);
      expect(program.violations).toEqual([]);
      handed += program.executed.size;
    } finally {
      await program.close();
      buried.push(program.buried);
    }
  };
  const round = (): Promise<void> =>
    fc.assert(fc.asyncProperty(programs, one), { numRuns, endOnFailure: true });
  await untilEnough(round, () => handed >= enough);
  await Promise.all(buried);
  expect(handed).toBeGreaterThanOrEqual(enough);
}

test("P12 holds on the embedded engine, which is closed and killed in the middle", {
  timeout: TIMEOUT_MS,
}, async () => {
  await run(embeddedOrder, 1, 25, 50);
});

describe.skipIf(NO_NATS_SERVER)(natsTitle("devices on NATS"), { timeout: TIMEOUT_MS }, () => {
  let server: NatsServer;
  beforeAll(async () => {
    server = await natsServer();
  });
  afterAll(async () => server?.[Symbol.asyncDispose]());

  test("P12 holds on two nodes", async () => {
    await run(natsOrder(server), 2, 25, 50);
  });

  test("P12 holds on two nodes that lose some of what is told live, and hear late of it", async () => {
    let n = 0;
    const through = throughFaults({ losesLive: () => n++ % 12 === 0, losesAnswer: () => false });
    await run(natsOrder(server, through), 2, 12, 10);
  });
});
