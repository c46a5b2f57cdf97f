import { openedEmbedded } from "./helpers/embedded-folder.ts";
import { journalContract } from "./journal.contract.ts";

journalContract({ engine: "embedded", open: () => openedEmbedded() });
journalContract({
  engine: "embedded, durable as far as the process",
  open: () => openedEmbedded({ durability: "process" }),
});
