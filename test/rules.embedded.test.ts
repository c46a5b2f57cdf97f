/** The twenty rules on the embedded engine: the same tests, over a data folder each. */
import { describe } from "vitest";
import { onEngine } from "./helpers/cluster.ts";
import { openedEmbedded } from "./helpers/embedded-folder.ts";

onEngine(() => openedEmbedded({ durability: "process" }));
describe("on the embedded engine", async () => {
  await import("./rules.order.test.ts");
  await import("./rules.resume.test.ts");
  await import("./rules.writes.test.ts");
  await import("./rules.lifetimes.test.ts");
});
