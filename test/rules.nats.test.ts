/** The twenty rules on NATS: the same tests, over streams each, whose sequences are counted by collection. */
import { afterAll, beforeAll, describe } from "vitest";
import { createNatsJournal } from "../src/journal/nats/index.ts";
import { counted } from "./helpers/counted-journal.ts";
import { closeHubOrders } from "./helpers/hub-watchers.ts";
import { type NatsServer, NO_NATS_SERVER, natsServer, natsTitle } from "./helpers/nats-server.ts";
import { natsNames } from "./helpers/nodes-nats.ts";
import { onEngine } from "./helpers/rule-engine.ts";

describe.skipIf(NO_NATS_SERVER)(natsTitle("on NATS"), async () => {
  let server: NatsServer;
  beforeAll(async () => {
    server = await natsServer();
  });
  afterAll(async () => {
    await closeHubOrders();
    await server?.[Symbol.asyncDispose]();
  });

  onEngine(async () => {
    const journal = createNatsJournal(natsNames(server));
    await journal.open();
    return { journal: counted(journal), dispose: () => journal.close() };
  });
  await import("./rules.order.test.ts");
  await import("./rules.resume.test.ts");
  await import("./rules.writes.test.ts");
  await import("./rules.lifetimes.test.ts");
  await import("./events.hub.test.ts"); // rule 12, and the others where they speak of events
});
