/** The payloads of the known events, as they are checked where they enter. */
import { z } from "zod";
import {
  ACTIVITY_TYPES,
  type ActivityType,
  type EventPayloads,
  type EventType,
  STREAM_PHASES,
} from "../protocol/event-types.ts";
import { SESSION_LIFECYCLES } from "../protocol/sessions.ts";

const id = z.string().min(1).max(512);
const text = z.string().max(65_536);
const count = z.int().min(0);
/** Any object; what it holds becomes plain JSON where all payloads do. */
const json = z.record(z.string(), z.unknown());

const streamArtifact = z.strictObject({
  projectId: id,
  streamId: id,
  filename: text.min(1),
  phase: z.enum(STREAM_PHASES).optional(),
});
const projectArtifact = z.strictObject({
  projectId: id,
  id,
  name: text,
  type: text,
  path: text,
  status: text,
  phase: z.int(),
  phaseName: text,
  isSharded: z.boolean(),
  parentId: id.optional(),
});
const artifact = z.union([streamArtifact, projectArtifact]);
const deletedArtifact = z.strictObject({ projectId: id, id, path: text });

const activity = z.strictObject({
  deviceId: id,
  data: json,
  ingestedAt: z.string().nullish(),
  blobRefs: z
    .array(z.strictObject({ key: text.min(1), contentType: text, sizeBytes: count }))
    .max(1_000)
    .optional(),
});

const activities = Object.fromEntries(ACTIVITY_TYPES.map((type) => [type, activity])) as Record<
  ActivityType,
  typeof activity
>;

/** A Record over the types: a new one does not compile until it has a schema. */
export const EVENT_SCHEMAS: { readonly [Type in EventType]: z.ZodType } = {
  ...activities,
  "stream:created": z.strictObject({ projectId: id, streamId: id, name: text }),
  "stream:archived": z.strictObject({
    projectId: id,
    streamId: id,
    outcome: z.enum(["merged", "abandoned"]),
  }),
  "stream:updated": z.strictObject({ projectId: id, streamId: id, changes: json }),
  "stream:phase-changed": z.strictObject({
    projectId: id,
    streamId: id,
    phase: z.enum(STREAM_PHASES),
    artifacts: z.array(text).max(10_000),
  }),
  "artifact:created": artifact,
  "artifact:updated": artifact,
  "artifact:deleted": z.union([streamArtifact, projectArtifact, deletedArtifact]),
  "project:registered": z.strictObject({ projectId: id, name: text }),
  "project:unregistered": z.strictObject({ projectId: id }),
  "session.update": z.strictObject({
    sessionId: id,
    workspaceId: id.optional(),
    lifecycle: z
      .enum([...SESSION_LIFECYCLES, "capturing"])
      .transform((lifecycle) => (lifecycle === "capturing" ? "detected" : lifecycle)),
    summary: text.optional(),
    stats: z
      .strictObject({
        totalMessages: count.optional(),
        totalCostUsd: z.number().min(0).optional(),
        durationMs: z.number().min(0).optional(),
      })
      .optional(),
  }),
  "remote.update": z.strictObject({ remoteEnvId: id, status: text.min(1), publicIp: text.optional() }),
  "subagent.update": z.strictObject({
    sessionId: id,
    workspaceId: id.optional(),
    subagent: z.strictObject({
      agentId: id,
      agentType: text,
      agentName: text.optional(),
      status: z.enum(["running", "completed", "failed"]),
    }),
  }),
  "team.update": z.strictObject({
    teamName: id,
    leadSessionId: id.optional(),
    workspaceId: id.optional(),
    memberCount: count,
  }),
} satisfies { [Type in keyof EventPayloads]: z.ZodType };
