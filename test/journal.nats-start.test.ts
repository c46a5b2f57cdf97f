/** A start that cannot succeed: it is said why, and ends when it was to end. */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { describe, expect, onTestFinished, test } from "vitest";
import { natsEngine } from "../src/journal/nats/engine.ts";
import { silentLogger } from "../src/log.ts";
import { freePort, type NatsServer, NO_NATS_SERVER, natsServer, natsTitle } from "./helpers/nats-server.ts";
import { natsNames } from "./helpers/nodes-nats.ts";

/** Collects garbage all the time, for as long as the test runs. */
function collectingGarbage(): void {
  setFlagsFromString("--expose-gc");
  const timer = setInterval(runInNewContext("gc") as () => void, 20);
  onTestFinished(() => clearInterval(timer));
}

function heard() {
  const said: { readonly why: string; readonly where?: string }[] = [];
  const warn = (facts: object, message: string): void => {
    if (message === "waiting for the journal") said.push(facts as (typeof said)[number]);
  };
  return { said, logger: { ...silentLogger, warn } };
}

test("a start that finds no server says so at once, and ends at its deadline, whatever is collected meanwhile", async () => {
  collectingGarbage();
  const { said, logger } = heard();
  const servers = `nats://me:hunter2@127.0.0.1:${await freePort()}`;
  const start = natsEngine({ servers, openTimeoutMs: 600, logger }).open();
  await expect(start).rejects.toMatchObject({
    reason: "unavailable",
    message: expect.stringContaining("127.0.0.1:"),
  });
  expect(said).toHaveLength(1);
  expect(JSON.stringify(said)).not.toContain("hunter2");
});

describe.skipIf(NO_NATS_SERVER)(natsTitle("a server that cannot do what is asked"), () => {
  const started = async (options: Parameters<typeof natsServer>[0]): Promise<NatsServer> => {
    const server = await natsServer(options);
    onTestFinished(() => server[Symbol.asyncDispose]());
    return server;
  };

  test("one without JetStream is waited for until the deadline, and that is said", async () => {
    collectingGarbage();
    const server = await started({ jetstream: false });
    const { said, logger } = heard();
    const start = natsEngine({ ...natsNames(server), openTimeoutMs: 600, logger }).open();
    await expect(start).rejects.toMatchObject({
      message: expect.stringContaining("JetStream cannot be used"),
    });
    expect(said).toHaveLength(1);
  });

  test("more copies than there are servers, and subjects of another stream, are refused at once", async () => {
    const server = await started({});
    const alone = natsEngine({ ...natsNames(server), replicas: 3 }).open();
    await expect(alone).rejects.toMatchObject({
      message: expect.stringMatching(/as it is asked for: .*replicas/),
    });
    const first = natsNames(server);
    const journal = natsEngine(first);
    await journal.open();
    onTestFinished(() => journal.close());
    const second = natsEngine({ ...first, stateStream: "another", eventsStream: "onemore" }).open();
    await expect(second).rejects.toMatchObject({
      message: expect.stringMatching(/as it is asked for: .*overlap/),
    });
  });

  test("one that takes too small messages is refused at once, with what to set", async () => {
    const server = await started({ settings: "max_payload: 1024" });
    await expect(natsEngine(natsNames(server)).open()).rejects.toMatchObject({
      reason: "unavailable",
      message: expect.stringMatching(/1024 bytes at most.*max_payload/),
    });
  });
});
