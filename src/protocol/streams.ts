/**
 * Streams: named lines of work of a project, each with a phase, and the artifacts that come out of them.
 * `streams.onProject` yields the frames at the end of this file, each with a position as its tracked id.
 */
import type { EventPayloads, JsonObject, StreamPhase } from "./event-types.ts";
import type { EndedReason, FullReason } from "./frames.ts";

export const STREAM_STATUSES = ["active", "archived"] as const;
export type StreamStatus = (typeof STREAM_STATUSES)[number];

export const STREAM_OUTCOMES = ["merged", "abandoned"] as const;
export type StreamOutcome = (typeof STREAM_OUTCOMES)[number];

/** One stream as it travels: whole, frozen, plain JSON, every key present. */
export interface StreamEntry {
  readonly projectId: string;
  /** Opaque: it says nothing of project or name, and does not change with them. */
  readonly streamId: string;
  /** The sequence of the commit: grows with each change. */
  readonly version: number;
  readonly name: string;
  /** `''`: none yet. */
  readonly phase: StreamPhase;
  readonly status: StreamStatus;
  /** Null while it is active. */
  readonly outcome: StreamOutcome | null;
  /** Whatever its host keeps with it. */
  readonly metadata: JsonObject;
  /** RFC 3339, like all times here. */
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly archivedAt: string | null;
}

interface ArtifactBasics {
  readonly projectId: string;
  readonly version: number;
  /** When its content last changed, as far as its host said; RFC 3339. */
  readonly modifiedAt: string | null;
  readonly createdAt: string;
  readonly updatedAt: string;
}

/** A file of a stream. */
export interface StreamArtifactEntry extends ArtifactBasics {
  readonly kind: "stream";
  readonly streamId: string;
  readonly filename: string;
  readonly phase: StreamPhase | null;
}

/** A document of a project. */
export interface ProjectArtifactEntry extends ArtifactBasics {
  readonly kind: "project";
  readonly id: string;
  readonly name: string;
  readonly type: string;
  readonly path: string;
  readonly status: string;
  readonly phase: number;
  readonly phaseName: string;
  readonly isSharded: boolean;
  readonly parentId: string | null;
}

export type ArtifactEntry = StreamArtifactEntry | ProjectArtifactEntry;

/** What names an artifact in its project. */
export type ArtifactName =
  | { readonly projectId: string; readonly streamId: string; readonly filename: string }
  | { readonly projectId: string; readonly id: string };

export interface StreamsFull {
  readonly type: "snapshot_full";
  readonly projectId: string;
  readonly streams: readonly StreamEntry[];
  readonly artifacts: readonly ArtifactEntry[];
  readonly reason: FullReason;
  readonly complete: boolean;
}

export interface StreamsResumed {
  readonly type: "snapshot_resumed";
  readonly projectId: string;
  /** The position (`<tag>.<sequence>`) from which on the subscriber has caught up. */
  readonly until: string;
  readonly missed: number;
}

type StreamChange = "stream:created" | "stream:updated" | "stream:phase-changed" | "stream:archived";

/** The last that happened to a stream, and the whole stream: for whoever was slow, several changes are one. */
export type StreamChanged = {
  [Type in StreamChange]: {
    readonly type: Type;
    readonly projectId: string;
    readonly payload: EventPayloads[Type];
    readonly stream: StreamEntry;
  };
}[StreamChange];

/** An archived stream is forgotten: the project has too many. */
export interface StreamRemoved {
  readonly type: "stream:removed";
  readonly projectId: string;
  readonly payload: { readonly projectId: string; readonly streamId: string };
}

type ArtifactChange = "artifact:created" | "artifact:updated";

export type ArtifactChanged = {
  [Type in ArtifactChange]: {
    readonly type: Type;
    readonly projectId: string;
    readonly payload: EventPayloads[Type];
    readonly artifact: ArtifactEntry;
  };
}[ArtifactChange];

export interface ArtifactDeleted {
  readonly type: "artifact:deleted";
  readonly projectId: string;
  readonly payload: ArtifactName;
}

export interface StreamsProgress {
  readonly type: "snapshot_progress";
  readonly projectId: string;
  readonly complete: boolean;
}

export interface StreamsStatus {
  readonly type: "snapshot_status";
  readonly projectId: string;
  readonly fresh: boolean;
  readonly reason?: string;
  readonly since: string;
}

export interface StreamsEnded {
  readonly type: "snapshot_ended";
  readonly projectId: string;
  readonly reason: EndedReason;
}

export type StreamFrame =
  | StreamsFull
  | StreamsResumed
  | StreamChanged
  | StreamRemoved
  | ArtifactChanged
  | ArtifactDeleted
  | StreamsProgress
  | StreamsStatus
  | StreamsEnded;

type Reads = (data: Record<string, unknown>) => boolean;

const ofStream: Reads = ({ payload, stream }) => isRecord(payload) && isRecord(stream);
const ofArtifact: Reads = ({ payload, artifact }) => isRecord(payload) && isRecord(artifact);

const READS: Readonly<Record<StreamFrame["type"], Reads>> = {
  snapshot_full: ({ streams, artifacts }) => Array.isArray(streams) && Array.isArray(artifacts),
  snapshot_resumed: ({ until }) => typeof until === "string",
  snapshot_progress: ({ complete }) => typeof complete === "boolean",
  snapshot_status: ({ fresh }) => typeof fresh === "boolean",
  snapshot_ended: ({ reason }) => typeof reason === "string",
  "stream:created": ofStream,
  "stream:updated": ofStream,
  "stream:phase-changed": ofStream,
  "stream:archived": ofStream,
  "stream:removed": ({ payload }) => isRecord(payload),
  "artifact:created": ofArtifact,
  "artifact:updated": ofArtifact,
  "artifact:deleted": ({ payload }) => isRecord(payload),
};

/** Reads what a subscription delivered; `undefined` for an unknown type or a broken shape, which a receiver skips. */
export function readStreamFrame(data: unknown): StreamFrame | undefined {
  if (!isRecord(data) || typeof data.type !== "string" || !Object.hasOwn(READS, data.type)) return undefined;
  if (typeof data.projectId !== "string") return undefined;
  return READS[data.type as StreamFrame["type"]](data) ? (data as unknown as StreamFrame) : undefined;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
