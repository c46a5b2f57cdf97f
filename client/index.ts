/**
 * client: the other end of the wire, in Node and in browsers.
 *
 * In:       frames of `snapshots.onProject`, over any tRPC client.   Out: a view of the project, and an honest status.
 * Promise:  the view never goes back, never flashes empty, and ends where the store ends; nothing is left after `close`.
 * Not here: rendering (hooks stand on `getSnapshot` and `subscribe`), what a change means (the server's model).
 *
 * Values come from `src/protocol` only; the router is a type.
 */
export {
  type InboxFrame,
  type PresenceFrame,
  readInboxFrame,
  readPresenceFrame,
} from "../src/protocol/agents.ts";
export { type EventFrame, isHubEvent, readEventFrame } from "../src/protocol/envelope.ts";
export { readSessionFrame, type SessionFrame } from "../src/protocol/sessions.ts";
export { readStreamFrame, type StreamFrame } from "../src/protocol/streams.ts";
export type { RetryOptions } from "./backoff.ts";
export { createSnapwireClient, type SnapwireClient, type SnapwireClientOptions } from "./connection.ts";
export type {
  ClientConnection,
  ConnectionReason,
  ConnectionState,
  ConnectionStatus,
} from "./connection-state.ts";
export type { TokenSource } from "./credentials.ts";
export { diffEntries, type EntriesDiff } from "./entries-diff.ts";
export { ClientClosedError } from "./failure.ts";
export {
  createLiveProjects,
  type LiveProject,
  type LiveProjects,
  type LiveProjectsOptions,
  liveProjectsOf,
  type ProjectsEntry,
  type ProjectsSource,
} from "./live-projects.ts";
export type { ClientSource, LiveSource, SnapshotsSource } from "./live-source.ts";
export type { LiveStatus } from "./live-status.ts";
export type { Schedule } from "./page-frame.ts";
export type { CaughtUp, ProjectView } from "./project-view.ts";
export { createProjectReplica, type ProjectReplica, type ProjectReplicaOptions } from "./replica.ts";
export type { ReplicaEntry } from "./replica-state.ts";
export type { ProjectSnapshot } from "./snapshot.ts";
export type { EntryOf, SnapshotsClient } from "./snapshots-client.ts";
export type { ReplicaReason, ReplicaStatus } from "./status.ts";
export type { Surroundings } from "./wake.ts";
export type { WebSocketClass } from "./websocket.ts";
