/** Events as `/api/ws` words them: keys in snake_case, absent optional keys left out. */
import type { EventFrame, HubEvent } from "../../protocol/envelope.ts";
import type { ActivityPayload } from "../../protocol/event-types.ts";
import type { TrackedFrame } from "../../protocol/frames.ts";
import type { ServerMessage } from "./messages.ts";

/** One object for all who get it. */
const messages = new WeakMap<TrackedFrame<EventFrame>, ServerMessage>();

/** @returns undefined for what this wire has no word for. */
export function serverMessage(frame: TrackedFrame<EventFrame>): ServerMessage | undefined {
  const known = messages.get(frame);
  if (known) return known;
  const message = wordsOf(frame.data);
  if (message) messages.set(frame, message);
  return message;
}

function wordsOf(data: EventFrame): ServerMessage | undefined {
  if (data.type === "connection:status" || data.type === "connection:ended") return undefined;
  if (data.type === "gap") return { type: "gap", ...data.payload };
  if (data.type === "session.update") {
    const { sessionId, lifecycle, summary, stats } = data.payload;
    return {
      type: "session.update",
      session_id: sessionId,
      lifecycle,
      ...(summary === undefined ? {} : { summary }),
      ...(stats === undefined
        ? {}
        : {
            stats: defined({
              total_messages: stats.totalMessages,
              total_cost_usd: stats.totalCostUsd,
              duration_ms: stats.durationMs,
            }),
          }),
    };
  }
  if (data.type === "remote.update") {
    const { remoteEnvId, status, publicIp } = data.payload;
    return {
      type: "remote.update",
      remote_env_id: remoteEnvId,
      status,
      ...(publicIp === undefined ? {} : { public_ip: publicIp }),
    };
  }
  if (data.type === "subagent.update") {
    const { sessionId, workspaceId, subagent } = data.payload;
    const { agentId, agentType, agentName, status } = subagent;
    return {
      type: "subagent.update",
      session_id: sessionId,
      ...(workspaceId === undefined ? {} : { workspace_id: workspaceId }),
      subagent: {
        agent_id: agentId,
        agent_type: agentType,
        ...(agentName === undefined ? {} : { agent_name: agentName }),
        status,
      },
    };
  }
  if (data.type === "team.update") {
    const { teamName, leadSessionId, workspaceId, memberCount } = data.payload;
    return {
      type: "team.update",
      team_name: teamName,
      ...(leadSessionId === undefined ? {} : { lead_session_id: leadSessionId }),
      ...(workspaceId === undefined ? {} : { workspace_id: workspaceId }),
      member_count: memberCount,
    };
  }
  return { type: "event", event: plainEvent(data) };
}

function plainEvent(event: HubEvent): Extract<ServerMessage, { type: "event" }>["event"] {
  const { id, type, timestamp, workspaceId = null, sessionId = null } = event;
  const activity = isActivity(event.payload) ? event.payload : undefined;
  return {
    id,
    type,
    timestamp,
    device_id: activity?.deviceId ?? null,
    workspace_id: workspaceId,
    session_id: sessionId,
    data: { ...(activity?.data ?? event.payload) },
    ingested_at: activity?.ingestedAt ?? null,
    blob_refs: (activity?.blobRefs ?? []).map(({ key, contentType, sizeBytes }) => ({
      key,
      content_type: contentType,
      size_bytes: sizeBytes,
    })),
  };
}

function isActivity(payload: object): payload is ActivityPayload {
  return "deviceId" in payload && "data" in payload && typeof payload.data === "object";
}

function defined<T extends object>(object: T): { [Key in keyof T]?: Exclude<T[Key], undefined> } {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as never;
}
