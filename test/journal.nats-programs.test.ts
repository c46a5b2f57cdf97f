/** P1 to P6 for random programs on NATS: the same programs, the same checks at every frame, over a real server. */
import { randomUUID } from "node:crypto";
import fc from "fast-check";
import { afterAll, beforeAll, describe, test } from "vitest";
import { natsEngine, type Through } from "../src/journal/nats/engine.ts";
import { throughFaults } from "./helpers/nats-faults.ts";
import { type NatsServer, NO_NATS_SERVER, natsServer, natsTitle } from "./helpers/nats-server.ts";
import { runProgram } from "./helpers/program-run.ts";
import { fairWeather, foulWeather, type Step } from "./helpers/program-steps.ts";

const TIMEOUT_MS = 120_000;
const tombstonesPerScope = fc.constantFrom(1, 2, 10_000);

describe.skipIf(NO_NATS_SERVER)(natsTitle("programs on NATS"), { timeout: TIMEOUT_MS }, () => {
  let server: NatsServer;
  beforeAll(async () => {
    server = await natsServer();
  });
  afterAll(async () => server?.[Symbol.asyncDispose]());

  async function run(steps: readonly Step[], tombstonesPerScope: number, through?: Through): Promise<void> {
    const name = randomUUID();
    const options = {
      servers: server.url,
      subjectPrefix: name,
      stateStream: `s-${name}`,
      eventsStream: `e-${name}`,
    };
    const journal = natsEngine(options, through);
    await journal.open();
    try {
      await runProgram({ steps, gaps: [], tombstonesPerScope, journal });
    } finally {
      await journal.close();
    }
  }

  test("P1 P2 P3 P4 P5 P6 hold", async () => {
    await fc.assert(
      fc.asyncProperty(fairWeather, tombstonesPerScope, (steps, tombstones) => run(steps, tombstones)),
      { numRuns: 25 },
    );
  });

  test("P1 P2 P3 P4 P5 P6 hold behind every fault of a network", async () => {
    // To stop a node whose answers are held takes seconds of real time; an order that is replaced has tests of its own.
    const inOneOrder = foulWeather.map((steps) =>
      steps.filter(({ do: what }) => what !== "replace" && what !== "restart"),
    );
    await fc.assert(
      fc.asyncProperty(inOneOrder, tombstonesPerScope, (steps, tombstones) => run(steps, tombstones)),
      { numRuns: 40, endOnFailure: true },
    );
  });

  test("P1 P3 P5 P6 hold where half of the live messages are lost", async () => {
    await fc.assert(
      fc.asyncProperty(fairWeather, fc.infiniteStream(fc.boolean()), (steps, losses) => {
        const faults = { losesLive: () => losses.next().value === true, losesAnswer: () => false };
        return run(steps, 10_000, throughFaults(faults));
      }),
      { numRuns: 6 },
    );
  });
});
