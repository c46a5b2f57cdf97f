/** Streams and artifacts as they travel, and how they are worded. */
import type { FrameWording } from "../feed/frames.ts";
import type { EventPayloads } from "../protocol/event-types.ts";
import type {
  ArtifactEntry,
  ArtifactName,
  StreamChanged,
  StreamEntry,
  StreamFrame,
} from "../protocol/streams.ts";
import { frozenCopy } from "../workspace/frozen.ts";
import { nameOf } from "./keys.ts";
import type { ArtifactState, StreamState, StreamsState } from "./model.ts";

/** One row, and the last that happened to it. */
export interface StreamsRow {
  readonly stream?: StreamEntry;
  readonly artifact?: ArtifactEntry;
  readonly told: { readonly type: string; readonly payload: unknown } | undefined;
}

export function rowOf(key: string, state: StreamsState, version: number): StreamsRow {
  const told = state.events.at(-1);
  if (state.kind === "artifact") return Object.freeze({ artifact: artifactOf(state, version), told });
  return Object.freeze({ stream: streamOf(key, state, version), told });
}

function streamOf(key: string, state: StreamState, version: number): StreamEntry {
  const name = nameOf(key);
  if (name.kind !== "stream") throw new Error("a stream is kept under the key of a stream");
  return frozenCopy({
    projectId: name.projectId,
    streamId: name.streamId,
    version,
    name: state.name,
    phase: state.phase,
    status: state.status,
    outcome: state.outcome,
    metadata: state.metadata,
    createdAt: iso(state.createdAt),
    updatedAt: iso(state.updatedAt),
    archivedAt: state.archivedAt === 0 ? null : iso(state.archivedAt),
  });
}

function artifactOf(
  { artifact, modifiedAt, createdAt, updatedAt }: ArtifactState,
  version: number,
): ArtifactEntry {
  const times = { version, modifiedAt, createdAt: iso(createdAt), updatedAt: iso(updatedAt) };
  if ("streamId" in artifact)
    return frozenCopy({ kind: "stream" as const, ...artifact, phase: artifact.phase ?? null, ...times });
  return frozenCopy({ kind: "project" as const, ...artifact, parentId: artifact.parentId ?? null, ...times });
}

const iso = (at: number): string => new Date(at).toISOString();

export function artifactNameOf(artifact: ArtifactEntry): ArtifactName {
  const { projectId } = artifact;
  return artifact.kind === "stream"
    ? { projectId, streamId: artifact.streamId, filename: artifact.filename }
    : { projectId, id: artifact.id };
}

export const streamWording: FrameWording<StreamsRow, StreamFrame> = {
  full: (projectId, rows, reason, complete) => ({
    type: "snapshot_full",
    projectId,
    streams: rows.flatMap(({ stream }) => stream ?? []),
    artifacts: rows.flatMap(({ artifact }) => artifact ?? []),
    reason,
    complete,
  }),
  resumed: (projectId, until, missed) => ({ type: "snapshot_resumed", projectId, until, missed }),
  changed: (projectId, _key, { stream, artifact, told }) =>
    stream
      ? streamChanged(projectId, stream, told)
      : artifactChanged(projectId, artifact as ArtifactEntry, told),
  removed: (projectId, key) => removed(projectId, key),
  progress: (projectId, complete) => ({ type: "snapshot_progress", projectId, complete }),
  status: (projectId, { fresh, reason, since }) => ({
    type: "snapshot_status",
    projectId,
    fresh,
    ...(reason === undefined ? {} : { reason }),
    since,
  }),
  ended: (projectId, reason) => ({ type: "snapshot_ended", projectId, reason }),
};

function streamChanged(projectId: string, stream: StreamEntry, told: StreamsRow["told"]): StreamFrame {
  const type = (told?.type ?? "stream:updated") as StreamChanged["type"];
  return { type, projectId, payload: told?.payload, stream } as StreamChanged;
}

function artifactChanged(projectId: string, artifact: ArtifactEntry, told: StreamsRow["told"]): StreamFrame {
  const type = told?.type === "artifact:created" ? "artifact:created" : "artifact:updated";
  return { type, projectId, payload: told?.payload as EventPayloads["artifact:created"], artifact };
}

/** A tombstone knows its key and nothing else. */
function removed(projectId: string, key: string): StreamFrame {
  const { kind, ...name } = nameOf(key);
  if (kind === "artifact") return { type: "artifact:deleted", projectId, payload: name as ArtifactName };
  return { type: "stream:removed", projectId, payload: name as { projectId: string; streamId: string } };
}
