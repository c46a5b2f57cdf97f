/**
 * The frames of the plain endpoints, each as a zod schema and its type: for clients in TypeScript, and for what we check
 * of what comes in. Keys are spelt as these wires always have.
 */
import { z } from "zod";

const id = z.string().min(1).max(512);

/** What a client says on `/api/ws`. Of several selectors the first counts: scope, workspace, session; null is absent. */
export const clientMessageSchema = z.discriminatedUnion("type", [
  z.looseObject({
    type: z.literal("subscribe"),
    scope: z.literal("all").nullish(),
    workspace_id: id.nullish(),
    session_id: id.nullish(),
  }),
  z.looseObject({
    type: z.literal("unsubscribe"),
    workspace_id: id.nullish(),
    session_id: id.nullish(),
  }),
  z.looseObject({ type: z.literal("pong") }),
]);
export type ClientMessage = z.infer<typeof clientMessageSchema>;

const sessionStats = z.object({
  total_messages: z.number().optional(),
  total_cost_usd: z.number().optional(),
  duration_ms: z.number().optional(),
});

const plainEvent = z.object({
  id: z.string(),
  type: z.string(),
  timestamp: z.string(),
  device_id: z.string().nullable(),
  workspace_id: z.string().nullable(),
  session_id: z.string().nullable(),
  data: z.looseObject({}),
  ingested_at: z.string().nullable(),
  blob_refs: z.array(z.object({ key: z.string(), content_type: z.string(), size_bytes: z.number() })),
});

/** What the server says on `/api/ws`. */
export const serverMessageSchema = z.discriminatedUnion("type", [
  z.object({ type: z.literal("event"), event: plainEvent }),
  z.object({
    type: z.literal("session.update"),
    session_id: z.string(),
    lifecycle: z.string(),
    summary: z.string().optional(),
    stats: sessionStats.optional(),
  }),
  z.object({
    type: z.literal("remote.update"),
    remote_env_id: z.string(),
    status: z.string(),
    public_ip: z.string().optional(),
  }),
  z.object({
    type: z.literal("subagent.update"),
    session_id: z.string(),
    workspace_id: z.string().optional(),
    subagent: z.object({
      agent_id: z.string(),
      agent_type: z.string(),
      agent_name: z.string().optional(),
      status: z.enum(["running", "completed", "failed"]),
    }),
  }),
  z.object({
    type: z.literal("team.update"),
    team_name: z.string(),
    lead_session_id: z.string().optional(),
    workspace_id: z.string().optional(),
    member_count: z.number(),
  }),
  z.object({ type: z.literal("ping") }),
  z.object({ type: z.literal("error"), message: z.string() }),
  z.object({ type: z.literal("subscribed"), subscription: z.string() }),
  z.object({ type: z.literal("unsubscribed"), subscription: z.string() }),
  /** Events between two positions are missing, or may be. */
  z.object({ type: z.literal("gap"), from: z.string().nullable(), to: z.string(), certain: z.boolean() }),
]);
export type ServerMessage = z.infer<typeof serverMessageSchema>;

/** What the server says on `/hub/ws`. `cursor` is where to go on from: `?cursor=`. */
export const hubMessageSchema = z.object({
  type: z.string(),
  payload: z.looseObject({}),
  timestamp: z.string(),
  cursor: z.string(),
});
export type HubMessage = z.infer<typeof hubMessageSchema>;

/** What a device says on `/agent/ws`. */
export const agentMessageSchema = z.discriminatedUnion("type", [
  z.looseObject({ type: z.literal("register"), deviceId: z.string() }),
  z.looseObject({ type: z.literal("ack"), id: z.string().min(1).max(200) }),
]);
export type AgentMessage = z.infer<typeof agentMessageSchema>;

export const segmentSchema = z.discriminatedUnion("type", [
  z.object({ type: z.literal("text"), value: z.string() }),
  z.object({
    type: z.literal("key"),
    key: z.enum(["enter", "tab", "up", "down", "left", "right", "home", "end"]),
  }),
]);
export type Segment = z.infer<typeof segmentSchema>;

/** What the server says on `/agent/ws`. */
export const transcriptionMessageSchema = z.discriminatedUnion("type", [
  z.object({
    type: z.literal("transcription"),
    id: z.string(),
    text: z.string().optional(),
    payload: z.array(segmentSchema).optional(),
    /** Milliseconds since 1970. */
    timestamp: z.number(),
  }),
  z.object({ type: z.literal("error"), message: z.string() }),
]);
export type TranscriptionMessage = z.infer<typeof transcriptionMessageSchema>;

/** `POST /transcription`. */
export const transcriptionRequestSchema = z
  .looseObject({
    deviceId: z.string().min(1),
    text: z.string().optional(),
    payload: z.array(segmentSchema).max(1_000).optional(),
    /** The same key again is the same message. */
    clientKey: z.string().min(1).max(200).optional(),
  })
  .refine(({ text, payload }) => text !== undefined || payload !== undefined, {
    message: "text or payload is needed",
  });

/** A text as JSON; `undefined` for what is none. */
export function jsonOf(text: string | undefined): { readonly value: unknown } | undefined {
  if (text === undefined) return undefined;
  try {
    return { value: JSON.parse(text) };
  } catch {
    return undefined;
  }
}
