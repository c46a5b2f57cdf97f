/**
 * journal/nats: the order on NATS JetStream, for many nodes. See README.md of this room.
 */
import type { Journal } from "../journal.ts";
import { natsEngine } from "./engine.ts";
import type { NatsJournalOptions } from "./options.ts";

export type { NatsJournalOptions } from "./options.ts";
export { natsOptionsFromUrl } from "./url.ts";

/**
 * The NATS JetStream engine. Needs the packages `@nats-io/transport-node` and `@nats-io/jetstream`, which are loaded when
 * it is opened.
 * @throws {@link SnapwireError} `invalid-input` for options that cannot be.
 */
export function createNatsJournal(options: NatsJournalOptions = {}): Journal {
  return natsEngine(options);
}
