/** From what somebody publishes to an event that can be stored: checked, named, dated, and put where it belongs. */
import { z } from "zod";
import type { EventScope } from "../protocol/envelope.ts";
import { SnapwireError } from "../protocol/errors.ts";
import type { Draft } from "./stored.ts";
import { type EventTypes, eventId } from "./types.ts";

export interface DraftingOptions {
  readonly types: EventTypes;
  /** Names an event that has no id. */
  readonly newId: () => string;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** The project of a workspace or session, as far as it is known here. */
  readonly projectOf: (scope: EventScope) => string | undefined;
}

const named = z.string().min(1).max(512);
const envelope = z.object({
  id: eventId.optional(),
  type: z.string().min(1),
  payload: z.unknown(),
  timestamp: z.string().optional(),
  projectId: named.optional(),
  workspaceId: named.optional(),
  sessionId: named.optional(),
});

const SCOPE_KEYS = ["projectId", "workspaceId", "sessionId"] as const;
const UTC = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,9})?Z$/;
const rfc3339 = z.iso.datetime({ offset: true });

/** @throws {@link SnapwireError} `invalid-input` */
export function draftOf(event: unknown, { types, newId, now, projectOf }: DraftingOptions): Draft {
  const parsed = envelope.safeParse(event);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    const where = issue?.path.join(".");
    throw new SnapwireError(
      "invalid-input",
      `Not an event: ${where ? `${where}: ` : ""}${issue?.message ?? ""}.`,
    );
  }
  const { id, type, timestamp } = parsed.data;
  const { payload } = types.check(type, parsed.data.payload);
  const scope: { -readonly [Key in keyof EventScope]: EventScope[Key] } = {};
  for (const key of SCOPE_KEYS) {
    const said = payload[key];
    const given = parsed.data[key];
    if (given !== undefined && typeof said === "string" && said !== given)
      throw new SnapwireError(
        "invalid-input",
        `The event is given ${key} ${given}, but its payload says ${said}; they are the same thing.`,
      );
    const known = given ?? (typeof said === "string" && said !== "" ? said : undefined);
    if (known !== undefined) scope[key] = known;
  }
  const projectId = scope.projectId ?? projectOf(scope);
  return {
    id: id ?? newId(),
    type,
    payload,
    timestamp: timestamp === undefined ? new Date(now()).toISOString() : utcOf(timestamp),
    ...scope,
    ...(projectId === undefined ? {} : { projectId }),
  };
}

/** As it was written when it is UTC already: a sender's nanoseconds are kept. */
function utcOf(timestamp: string): string {
  const at = Date.parse(timestamp);
  if (!rfc3339.safeParse(timestamp).success || Number.isNaN(at))
    throw new SnapwireError(
      "invalid-input",
      `A timestamp is RFC 3339, not ${JSON.stringify(timestamp.slice(0, 64))}.`,
    );
  return UTC.test(timestamp) ? timestamp : new Date(at).toISOString();
}
