/**
 * The events that Snapwire knows, and what each says. Types only: a browser loads nothing of it. Names stay as the
 * systems wrote them that they come from; new ones are `namespace:kebab-case`. Keys are camelCase, and an optional key
 * that says nothing is left out.
 *
 * A host adds its own by merging into the interface, where it wants them typed everywhere:
 *
 *     declare module "snapwire" { interface EventPayloads { "deploy:finished": { projectId: string; ok: boolean } } }
 */
import type { SessionLifecycle, SessionStats } from "./sessions.ts";

export type JsonValue =
  | null
  | boolean
  | number
  | string
  | readonly JsonValue[]
  | { readonly [key: string]: JsonValue };
export type JsonObject = { readonly [key: string]: JsonValue };

export const STREAM_PHASES = ["analysis", "planning", "solutioning", "implementation", ""] as const;
export type StreamPhase = (typeof STREAM_PHASES)[number];

/** What happened in a session, a repository or on a device: told as it was reported. */
export const ACTIVITY_TYPES = [
  "session.start",
  "session.end",
  "session.compact",
  "git.commit",
  "git.push",
  "git.checkout",
  "git.merge",
  "remote.provision.start",
  "remote.provision.ready",
  "remote.provision.error",
  "remote.terminate",
  "system.device.register",
  "system.hooks.installed",
  "system.heartbeat",
  "subagent.start",
  "subagent.stop",
  "team.create",
  "team.message",
  "skill.invoke",
  "worktree.create",
  "worktree.remove",
] as const;
export type ActivityType = (typeof ACTIVITY_TYPES)[number];

/** An artifact of a stream. */
export interface StreamArtifact {
  readonly projectId: string;
  readonly streamId: string;
  readonly filename: string;
  readonly phase?: StreamPhase;
}

/** An artifact of a project. */
export interface ProjectArtifact {
  readonly projectId: string;
  readonly id: string;
  readonly name: string;
  readonly type: string;
  readonly path: string;
  readonly status: string;
  /** Counted from 0. */
  readonly phase: number;
  readonly phaseName: string;
  readonly isSharded: boolean;
  readonly parentId?: string;
}

/** All that may still be known of one that is gone. */
export interface DeletedArtifact {
  readonly projectId: string;
  readonly id: string;
  readonly path: string;
}

export interface BlobRef {
  readonly key: string;
  readonly contentType: string;
  readonly sizeBytes: number;
}

export interface ActivityPayload {
  readonly deviceId: string;
  readonly data: JsonObject;
  /** RFC 3339. */
  readonly ingestedAt?: string | null;
  readonly blobRefs?: readonly BlobRef[];
}

export interface EventPayloads extends Record<ActivityType, ActivityPayload> {
  "stream:created": { readonly projectId: string; readonly streamId: string; readonly name: string };
  "stream:archived": {
    readonly projectId: string;
    readonly streamId: string;
    readonly outcome: "merged" | "abandoned";
  };
  "stream:updated": { readonly projectId: string; readonly streamId: string; readonly changes: JsonObject };
  "stream:phase-changed": {
    readonly projectId: string;
    readonly streamId: string;
    readonly phase: StreamPhase;
    readonly artifacts: readonly string[];
  };
  "artifact:created": StreamArtifact | ProjectArtifact;
  "artifact:updated": StreamArtifact | ProjectArtifact;
  "artifact:deleted": StreamArtifact | ProjectArtifact | DeletedArtifact;
  "project:registered": { readonly projectId: string; readonly name: string };
  "project:unregistered": { readonly projectId: string };
  "session.update": {
    readonly sessionId: string;
    readonly workspaceId?: string;
    readonly lifecycle: SessionLifecycle;
    readonly summary?: string;
    readonly stats?: SessionStats;
  };
  "remote.update": { readonly remoteEnvId: string; readonly status: string; readonly publicIp?: string };
  "subagent.update": {
    readonly sessionId: string;
    readonly workspaceId?: string;
    readonly subagent: {
      readonly agentId: string;
      readonly agentType: string;
      readonly agentName?: string;
      readonly status: "running" | "completed" | "failed";
    };
  };
  "team.update": {
    readonly teamName: string;
    readonly leadSessionId?: string;
    readonly workspaceId?: string;
    readonly memberCount: number;
  };
}

export type EventType = keyof EventPayloads;
