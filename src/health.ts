/** What is said of a running service: by `/readyz`, `/api/health`, `system.health` and `system.stats`. */
import type { AgentsStats } from "./agents/agents.ts";
import type { EventStats } from "./events/hub.ts";
import type { FullReason } from "./protocol/frames.ts";
import type { SessionsStats } from "./sessions/sessions.ts";
import type { StreamsStats } from "./streams/streams.ts";

export interface HealthCheck {
  readonly ok: boolean;
  readonly detail?: string;
}

export interface Health {
  readonly status: "ok" | "degraded" | "unhealthy";
  /** Open, authenticated sockets. */
  readonly ws_clients: number;
  /** Seconds since start. */
  readonly uptime: number;
  readonly version: string;
  readonly checks: Readonly<Record<string, HealthCheck>>;
}

/** What one mounted server knows of its connections. */
export interface TransportStats {
  readonly sockets: number;
  /** Bytes that wait in the buffers of all sockets. */
  readonly bufferedBytes: number;
  /** Sockets above their high-water mark. */
  readonly stalledSockets: number;
  /** Frames that were turned into JSON: one per change, whatever the number of subscribers. */
  readonly encodes: number;
  /** Writes of the pump: one per socket and turn, however many changes. */
  readonly writes: number;
  /** Bytes that the pump wrote. */
  readonly sentBytes: number;
}

export interface SnapwireStats extends TransportStats {
  readonly agents: AgentsStats;
  readonly events: EventStats;
  readonly sessions: SessionsStats;
  readonly streams: StreamsStats;
  readonly subscriptions: number;
  /** Frames handed to subscribers. */
  readonly deliveries: number;
  /** Visible changes that a subscriber never saw because a newer one of the same key took their place. */
  readonly conflated: number;
  readonly resumes: number;
  readonly fulls: Readonly<Record<FullReason, number>>;
  readonly projects: number;
  readonly workspaces: number;
  readonly tombstones: number;
  /** By name, what was counted of each outcome: `addCounters`. */
  readonly counters: Readonly<Record<string, Counters>>;
}

/** Outcomes of one kind of thing, and how often each was seen. */
export type Counters = Readonly<Record<string, number>>;

/** One open, authenticated socket. */
export interface ClientReport {
  /** A ULID. */
  readonly id: string;
  /** RFC 3339. */
  readonly connectedAt: string;
  readonly address: string | null;
  /** Live subscriptions of the feeds; null where they are not counted. */
  readonly subscriptions: number | null;
  /** Bytes that wait for it. */
  readonly buffered: number;
  /** It takes no more at the moment. */
  readonly stalled: boolean;
}

/** A mounted server as the service sees it. */
export interface Transport {
  stats(): TransportStats;
  /** The oldest of its sockets. */
  clients(limit: number): readonly ClientReport[];
}
