/**
 * What is known of one stream or one artifact, and how a command changes it. Pure: called again, unchanged, after a lost
 * comparison. Each change says one event; both are committed together.
 */
import type { NextRecord } from "../collection/model.ts";
import type { StoredEvent } from "../outbox.ts";
import type { PublishableEvent } from "../protocol/envelope.ts";
import { SnapwireError } from "../protocol/errors.ts";
import {
  artifactCreated,
  artifactDeleted,
  artifactUpdated,
  streamArchived,
  streamCreated,
  streamPhaseChanged,
  streamUpdated,
} from "../protocol/event-builders.ts";
import type {
  JsonObject,
  JsonValue,
  ProjectArtifact,
  StreamArtifact,
  StreamPhase,
} from "../protocol/event-types.ts";
import type { StreamOutcome, StreamStatus } from "../protocol/streams.ts";
import { frozenCopy } from "../workspace/frozen.ts";
import { sameValue } from "../workspace/same-value.ts";
import {
  type ArchiveStreamInput,
  type PutArtifactInput,
  STREAM_LIMITS,
  type UpdateStreamInput,
} from "./inputs.ts";

interface Kept {
  /** What the last commit said. */
  readonly events: readonly StoredEvent[];
  /** Milliseconds since 1970. */
  readonly createdAt: number;
  readonly updatedAt: number;
}

export interface StreamState extends Kept {
  readonly kind: "stream";
  readonly name: string;
  readonly phase: StreamPhase;
  readonly status: StreamStatus;
  readonly outcome: StreamOutcome | null;
  readonly metadata: JsonObject;
  /** 0 = it is active. */
  readonly archivedAt: number;
  /** The newest client keys. */
  readonly keys: readonly string[];
}

export interface ArtifactState extends Kept {
  readonly kind: "artifact";
  readonly artifact: StreamArtifact | ProjectArtifact;
  readonly modifiedAt: string | null;
}

export type StreamsState = StreamState | ArtifactState;

type Command =
  | { readonly kind: "create"; readonly projectId: string; readonly streamId: string; readonly name: string }
  | ({ readonly kind: "update" } & UpdateStreamInput)
  | {
      readonly kind: "phase";
      readonly projectId: string;
      readonly streamId: string;
      readonly phase: StreamPhase;
      readonly artifacts: readonly string[];
      readonly clientKey?: string | undefined;
    }
  | ({ readonly kind: "archive" } & ArchiveStreamInput)
  | { readonly kind: "put"; readonly artifact: PutArtifactInput }
  | { readonly kind: "delete" }
  /** Without a word to the hub: an old stream and its artifacts make room. */
  | { readonly kind: "forget" };

export type StreamOperation = Command & {
  /** Milliseconds since 1970. */
  readonly at: number;
  /** The id of the event, if there is one to tell. */
  readonly eventId: string;
};

export interface StreamOutcomeOf {
  readonly changed: boolean;
  readonly events: readonly StoredEvent[];
}

/** How many client keys a stream remembers. */
const KEYS_PER_STREAM = 64;

type Base = NextRecord<StreamsState> | undefined;

export interface FoldedStreams {
  readonly next: Base;
  readonly changed: boolean;
  readonly outcomes: ReadonlyArray<{ readonly value: StreamOutcomeOf } | { readonly error: unknown }>;
}

/** What a command makes of a state: null takes it away, the same state is no change. */
interface Step {
  readonly state: StreamsState | null;
  readonly event?: PublishableEvent;
}

export function foldStreams(
  projectId: string,
  base: Base,
  operations: readonly StreamOperation[],
): FoldedStreams {
  const before = base && base.scope !== null ? base.state : null;
  let state: StreamsState | null = before;
  let last: StreamsState | undefined = base?.state;
  const said: StoredEvent[] = [];
  const outcomes = operations.map((operation) => {
    try {
      const step = stepOf(state, operation);
      const changed = step.event !== undefined || (step.state === null && state !== null);
      const { at, eventId } = operation;
      const events =
        step.event === undefined
          ? []
          : [
              frozenCopy({
                ...step.event,
                id: eventId,
                timestamp: new Date(at).toISOString(),
              } as StoredEvent),
            ];
      said.push(...events);
      state = step.state;
      last = state ?? last;
      return { value: { changed, events } };
    } catch (error) {
      return { error };
    }
  });
  const changed = said.length > 0 || (state === null && before !== null);
  if (!last || (!changed && last === base?.state)) return { next: base, changed: false, outcomes };
  const next = frozenCopy({ ...last, ...(changed && { events: said }) });
  return {
    next: { scope: state === null ? null : projectId, hidden: false, state: next },
    changed,
    outcomes,
  };
}

function stepOf(state: StreamsState | null, operation: StreamOperation): Step {
  switch (operation.kind) {
    case "create":
      return createStream(state, operation);
    case "put":
      return putArtifact(state?.kind === "artifact" ? state : null, operation.artifact, operation.at);
    case "delete": {
      if (state?.kind !== "artifact") return { state };
      return { state: null, event: artifactDeleted(deletedOf(state.artifact)) };
    }
    case "forget":
      return { state: null };
    case "update":
    case "phase":
    case "archive": {
      if (state?.kind !== "stream") throw unknownStream(operation.projectId, operation.streamId);
      const { clientKey } = operation;
      if (clientKey === undefined) return commandStream(state, operation);
      if (state.keys.includes(clientKey)) return { state };
      const step = commandStream(state, operation);
      const stream = step.state?.kind === "stream" ? step.state : state;
      return { ...step, state: { ...stream, keys: [...stream.keys, clientKey].slice(-KEYS_PER_STREAM) } };
    }
  }
}

function createStream(
  state: StreamsState | null,
  operation: Extract<StreamOperation, { kind: "create" }>,
): Step {
  if (state) return { state };
  const { projectId, streamId, name, at } = operation;
  return {
    state: {
      kind: "stream",
      name,
      phase: "",
      status: "active",
      outcome: null,
      metadata: {},
      createdAt: at,
      updatedAt: at,
      archivedAt: 0,
      keys: [],
      events: [],
    },
    event: streamCreated({ projectId, streamId, name }),
  };
}

function commandStream(
  state: StreamState,
  operation: Extract<StreamOperation, { kind: "update" | "phase" | "archive" }>,
): Step {
  const { projectId, streamId, at } = operation;
  const updatedAt = Math.max(at, state.updatedAt);
  switch (operation.kind) {
    case "update": {
      const changes = realChanges(state, operation.changes);
      if (Object.keys(changes).length === 0) return { state };
      assertActive(state, streamId);
      const { name = state.name, ...others } = changes;
      const metadata = Object.fromEntries(
        Object.entries({ ...state.metadata, ...others }).filter(([, value]) => value !== null),
      );
      if (JSON.stringify(metadata).length > STREAM_LIMITS.metadata) {
        const limit = `${STREAM_LIMITS.metadata} characters of JSON`;
        throw new SnapwireError(
          "too-many",
          `Stream ${streamId} would keep more than ${limit}; take some out.`,
        );
      }
      return {
        state: { ...state, name: String(name), metadata, updatedAt },
        event: streamUpdated({ projectId, streamId, changes }),
      };
    }
    case "phase": {
      const { phase, artifacts } = operation;
      if (phase === state.phase) return { state };
      assertActive(state, streamId);
      return {
        state: { ...state, phase, updatedAt },
        event: streamPhaseChanged({ projectId, streamId, phase, artifacts }),
      };
    }
    case "archive": {
      const { outcome } = operation;
      if (outcome === state.outcome) return { state };
      assertActive(state, streamId);
      return {
        state: { ...state, status: "archived", outcome, archivedAt: at, updatedAt },
        event: streamArchived({ projectId, streamId, outcome }),
      };
    }
  }
}

/** Of what was said, what is not so already. */
function realChanges({ name, metadata }: StreamState, said: JsonObject): JsonObject {
  const isNews = ([key, value]: readonly [string, JsonValue]): boolean =>
    !sameValue(key === "name" ? name : metadata[key], value);
  return Object.fromEntries(Object.entries(said).filter(isNews));
}

function putArtifact(state: ArtifactState | null, input: PutArtifactInput, at: number): Step {
  const { modifiedAt = null, ...artifact } = frozenCopy(input) as (StreamArtifact | ProjectArtifact) & {
    readonly modifiedAt?: string;
  };
  if (!state) {
    return {
      state: { kind: "artifact", artifact, modifiedAt, createdAt: at, updatedAt: at, events: [] },
      event: artifactCreated(artifact),
    };
  }
  const isTouched = modifiedAt !== null && modifiedAt !== state.modifiedAt;
  if (sameValue(state.artifact, artifact) && !isTouched) return { state };
  const updatedAt = Math.max(at, state.updatedAt);
  return {
    state: { ...state, artifact, modifiedAt: modifiedAt ?? state.modifiedAt, updatedAt },
    event: artifactUpdated(artifact),
  };
}

function deletedOf(
  artifact: StreamArtifact | ProjectArtifact,
): StreamArtifact | { readonly projectId: string; readonly id: string; readonly path: string } {
  if ("streamId" in artifact) return artifact;
  const { projectId, id, path } = artifact;
  return { projectId, id, path };
}

function assertActive({ status }: StreamState, streamId: string): void {
  if (status === "active") return;
  throw new SnapwireError("stream-archived", `Stream ${streamId} is archived and does not change any more.`);
}

export function unknownStream(projectId: string, streamId: string): SnapwireError {
  return new SnapwireError("unknown-stream", `There is no stream ${streamId} in project ${projectId}.`);
}
