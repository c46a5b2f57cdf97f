/**
 * What `events.onScope` tells: events, and what is said of the subscription itself. Every frame is yielded with a
 * position as its tracked id, and has `type`, `payload` and `timestamp`; only an event has an `id`.
 */
import type { EventPayloads, EventType } from "./event-types.ts";
import type { EndedReason } from "./frames.ts";

/** Whom an event is about; what is not known is left out. */
export interface EventScope {
  readonly projectId?: string;
  readonly workspaceId?: string;
  readonly sessionId?: string;
}

export interface Envelope<Type extends string, Payload> extends EventScope {
  /** A ULID, unless whoever published it gave another: the same id is stored once. */
  readonly id: string;
  readonly type: Type;
  readonly payload: Payload;
  /** RFC 3339, UTC. */
  readonly timestamp: string;
}

/** An event of a known type, discriminated by `type`. */
export type HubEvent<Type extends EventType = EventType> = Type extends EventType
  ? Envelope<Type, EventPayloads[Type]>
  : never;

/** What is published: the hub adds what is not given. */
export interface Publishable<Type extends string, Payload> extends EventScope {
  readonly id?: string;
  readonly type: Type;
  readonly payload: Payload;
  /** RFC 3339; another offset than UTC is turned into UTC. */
  readonly timestamp?: string;
}

export type PublishableEvent<Type extends EventType = EventType> = Type extends EventType
  ? Publishable<Type, EventPayloads[Type]>
  : never;

declare const HOST: unique symbol;

/** An event of a host's own type, made by the builders of `defineEvents`. */
export type HostEvent = Publishable<string, object> & { readonly [HOST]: true };

/** The first frame of every subscription; again when the engine went away (`stale`) or came back. */
export interface ConnectionStatus {
  readonly type: "connection:status";
  readonly payload: {
    readonly status: "connected" | "stale";
    /** `all`, `project:<id>`, `workspace:<id>`, `session:<id>`. */
    readonly subscriptions: readonly string[];
    /** The position of the newest event of all when this was said: whoever has it has caught up. */
    readonly head: string;
    readonly reason?: string;
    /** Since when it is stale, or connected again; RFC 3339. */
    readonly since?: string;
  };
  readonly timestamp: string;
}

/** Between two positions something is missing, or may be. */
export interface EventGap {
  readonly type: "gap";
  readonly payload: {
    /** Where the subscriber stood; null when its position could not be read. */
    readonly from: string | null;
    /** Where it stands now: what is retained above it follows. */
    readonly to: string;
    /** True: something that it would have been told is gone. False: perhaps. */
    readonly certain: boolean;
  };
  readonly timestamp: string;
}

/** The server ends the subscription for good. */
export interface ConnectionEnded {
  readonly type: "connection:ended";
  readonly payload: { readonly reason: EndedReason };
  readonly timestamp: string;
}

export type ControlFrame = ConnectionStatus | EventGap | ConnectionEnded;
export type EventFrame = HubEvent | ControlFrame;

/** The names of frames that are no events; no event may be called so. */
export const CONTROL_TYPES = ["connection:status", "connection:ended", "gap"] as const;

/** @returns whether a frame is an event, of whatever type */
export function isHubEvent(frame: EventFrame): frame is HubEvent {
  return !(CONTROL_TYPES as readonly string[]).includes(frame.type);
}

/**
 * Reads what a subscription delivered; `undefined` for a broken shape, which a receiver skips. The payload of an event
 * is not checked beyond being an object: it was where it entered.
 */
export function readEventFrame(data: unknown): EventFrame | undefined {
  if (!isRecord(data) || typeof data.type !== "string" || !isRecord(data.payload)) return undefined;
  const { type, payload } = data;
  switch (type) {
    case "connection:status":
      return typeof payload.status === "string" && typeof payload.head === "string"
        ? asFrame(data)
        : undefined;
    case "gap":
      return typeof payload.to === "string" && typeof payload.certain === "boolean"
        ? asFrame(data)
        : undefined;
    case "connection:ended":
      return typeof payload.reason === "string" ? asFrame(data) : undefined;
    default:
      return typeof data.id === "string" && typeof data.timestamp === "string" ? asFrame(data) : undefined;
  }
}

const asFrame = (data: object): EventFrame => data as EventFrame;

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
