/** snapwire: live project state for tRPC. */
export type { Clock } from "./clock.ts";
export type { Health, HealthCheck, SnapwireStats, Transport, TransportStats } from "./health.ts";
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
export { SnapwireError, type SnapwireErrorReason } from "./protocol/errors.ts";
export { SNAPSHOT_CHANGED, SNAPSHOT_REMOVED } from "./protocol/events.ts";
export * from "./protocol/frames.ts";
export { formatPosition, type Position, parsePosition } from "./protocol/position.ts";
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
export type { Report } from "./sources/collector.ts";
export { createGitSource, type GitSource, type GitSourceOptions } from "./sources/git/index.ts";
export type {
  Source,
  SourceContext,
  SourceReport,
  SourceRow,
  SourceWatch,
  UnreadableRow,
} from "./sources/source.ts";
export * from "./workspace/index.ts";
