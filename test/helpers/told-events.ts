/** What the hub was given, oldest first. */
import type { HubEvent } from "../../src/protocol/envelope.ts";
import type { Snapwire } from "../../src/snapwire.ts";

export function toldEvents(live: Pick<Snapwire, "events">): readonly HubEvent[] {
  return live.events.recent({ scope: "all", limit: 1_000 }).events;
}

/** Types and payloads alone. */
export const toldPayloads = (live: Pick<Snapwire, "events">): (readonly [string, unknown])[] =>
  toldEvents(live).map(({ type, payload }) => [type, payload] as const);
