/** The twenty rules on the embedded engine: the same tests, over a data folder each. */
import { afterAll, describe } from "vitest";
import { openedEmbedded } from "./helpers/embedded-folder.ts";
import { closeHubOrders } from "./helpers/hub-watchers.ts";
import { onEngine } from "./helpers/rule-engine.ts";

onEngine(() => openedEmbedded({ durability: "process" }));
describe("on the embedded engine", async () => {
  afterAll(closeHubOrders);
  await import("./rules.order.test.ts");
  await import("./rules.resume.test.ts");
  await import("./rules.writes.test.ts");
  await import("./rules.lifetimes.test.ts");
  await import("./events.hub.test.ts"); // rule 12, and the others where they speak of events
});
