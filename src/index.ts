/** snapwire: live project state for tRPC. */
export type { AckRequest, Agents, AgentsStats, ConnectRequest } from "./agents/agents.ts";
export type { Inbox } from "./agents/inbox.ts";
export type { AgentsOptions } from "./agents/options.ts";
export type { SendRequest } from "./agents/sending.ts";
export type { Clock } from "./clock.ts";
export type { ActivityEvent, Broadcaster } from "./events/broadcaster.ts";
export type {
  EventHub,
  EventStats,
  EventTargets,
  Ingested,
  PublishedEvent,
  RecentEvents,
  RecentQuery,
  WatchOptions,
} from "./events/hub.ts";
export type { EventsOptions } from "./events/options.ts";
export type { EventTarget } from "./events/targets.ts";
export { type DefinedEvents, defineEvents, type HostBuilders, type HostTypes } from "./events/types.ts";
export type { Health, HealthCheck, SnapwireStats, Transport, TransportStats } from "./health.ts";
export { createEmbeddedJournal, type EmbeddedJournalOptions } from "./journal/embedded/embedded.ts";
export {
  type Journal,
  type JournalAck,
  type JournalAppend,
  JournalConflict,
  type JournalFollower,
  type JournalLog,
  type JournalRecord,
  type JournalSink,
  JournalUnavailable,
} from "./journal/journal.ts";
export { createMemoryJournal, type MemoryJournalOptions } from "./journal/memory.ts";
export { type Logger, silentLogger } from "./log.ts";
export * from "./protocol/agents.ts";
export * from "./protocol/envelope.ts";
export { SnapwireError, type SnapwireErrorReason } from "./protocol/errors.ts";
export * from "./protocol/event-builders.ts";
export * from "./protocol/event-types.ts";
export { SNAPSHOT_CHANGED, SNAPSHOT_REMOVED } from "./protocol/events.ts";
export * from "./protocol/frames.ts";
export { formatPosition, type Position, parsePosition } from "./protocol/position.ts";
export * from "./protocol/sessions.ts";
export * from "./protocol/streams.ts";
export * from "./protocol/workspace.ts";
export type { SnapwireConnection, SnapwireContext } from "./router/context.ts";
export { reasonOf } from "./router/errors.ts";
export type { Action, Identity, Role } from "./router/identity.ts";
export {
  createSnapwireRouter,
  SNAPWIRE_SSE,
  type SnapwireRouter,
  type SnapwireRouterOptions,
} from "./router/index.ts";
export {
  type AuthorizeRequest,
  createSnapwireProcedures,
  type ProjectsFrame,
  type SnapwireProcedures,
  type SnapwireProceduresOptions,
  type UpsertInput,
} from "./router/procedures.ts";
export type { RatchetUpdateInput } from "./router/ratchet.ts";
export { SESSION_RETENTION, type SessionRetention } from "./sessions/retention.ts";
export type { Sessions, SessionsStats, SessionUpdateResult } from "./sessions/sessions.ts";
export type { SessionRequestInput, SessionUpdateInput } from "./sessions/update.ts";
export type {
  SnapshotChangedEvent,
  SnapshotRemovedEvent,
  UpsertOptions,
  WriteResult,
} from "./snapshots/store.ts";
export {
  createSnapwire,
  type HostTruth,
  type Snapwire,
  type SnapwireOptions,
  type Workspaces,
} from "./snapwire.ts";
export type { Report, Submitted } from "./sources/collector.ts";
export { createGitSource, type GitSource, type GitSourceOptions } from "./sources/git/index.ts";
export type {
  Source,
  SourceContext,
  SourceReport,
  SourceRow,
  SourceWatch,
  UnreadableRow,
} from "./sources/source.ts";
export type {
  ArchiveStreamInput,
  CreateStreamInput,
  PutArtifactInput,
  StreamPhaseInput,
  UpdateStreamInput,
} from "./streams/inputs.ts";
export {
  type ArtifactAnswer,
  type DeletedAnswer,
  STREAM_RETENTION,
  type StreamAnswer,
  type StreamRetention,
  type Streams,
  type StreamsStats,
} from "./streams/streams.ts";
export * from "./workspace/index.ts";
