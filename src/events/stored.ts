/** What an event is in the journal, and what is made of it again. */
import type { LogItem } from "../collection/log-node.ts";
import type { Json } from "../journal/journal.ts";
import type { EventScope, HubEvent } from "../protocol/envelope.ts";
import { frozen } from "./plain-json.ts";
import { topicsOf } from "./targets.ts";

/** A checked event that has not been stored yet. */
export interface Draft extends EventScope {
  readonly id: string;
  readonly type: string;
  readonly payload: object;
  /** RFC 3339, UTC. */
  readonly timestamp: string;
}

/** About what an event takes beside its payload: keys, positions, its places in lists. */
const OVERHEAD_BYTES = 512;

/** @param at - The time of the commit, in milliseconds since 1970. */
export function bodyOf({ id: _, ...draft }: Draft, at: number): Json {
  return { ...draft, at } as unknown as Json;
}

/** `undefined` for a body of another shape: a newer version wrote it. */
export function itemOf(id: string, body: Json): LogItem<HubEvent> | undefined {
  if (!isRecord(body)) return undefined;
  const { type, payload, timestamp, projectId, workspaceId, sessionId, at } = body;
  if (
    typeof type !== "string" ||
    !isRecord(payload) ||
    typeof timestamp !== "string" ||
    typeof at !== "number"
  )
    return undefined;
  const scope: EventScope = {
    ...(typeof projectId === "string" && { projectId }),
    ...(typeof workspaceId === "string" && { workspaceId }),
    ...(typeof sessionId === "string" && { sessionId }),
  };
  return {
    entry: frozen({ id, type, payload, timestamp, ...scope }) as unknown as HubEvent,
    scope: scope.projectId ?? null,
    type,
    topics: topicsOf(scope),
    at,
    bytes: Buffer.byteLength(JSON.stringify(payload)) + OVERHEAD_BYTES,
  };
}

function isRecord(value: Json | undefined): value is { readonly [key: string]: Json } {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
