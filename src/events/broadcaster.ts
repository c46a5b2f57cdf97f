/**
 * What servers of sessions and agents broadcast, as methods. Each publishes an event: it is stored before anybody hears
 * of it. Absent optional keys are left out; an empty summary is kept.
 */
import type { Logger } from "../log.ts";
import type { PublishableEvent } from "../protocol/envelope.ts";
import {
  activity,
  remoteUpdate,
  sessionUpdate,
  subagentUpdate,
  teamUpdate,
} from "../protocol/event-builders.ts";
import type { ActivityPayload, ActivityType, EventPayloads } from "../protocol/event-types.ts";
import type { SessionLifecycleInput, SessionStats } from "../protocol/sessions.ts";
import type { EventHub, PublishedEvent } from "./hub.ts";

/** Something that was reported: `session.start`, `git.commit`, ... */
export interface ActivityEvent extends ActivityPayload {
  /** The same id is stored and told once. @defaultValue a new ULID */
  readonly id?: string;
  readonly type: ActivityType;
  /** RFC 3339. @defaultValue now */
  readonly timestamp?: string;
  readonly projectId?: string;
  readonly workspaceId: string;
  readonly sessionId?: string | null;
}

export interface Broadcaster {
  broadcastEvent(event: ActivityEvent): Promise<PublishedEvent>;
  broadcastSessionUpdate(
    sessionId: string,
    workspaceId: string,
    lifecycle: SessionLifecycleInput,
    summary?: string,
    stats?: SessionStats,
  ): Promise<PublishedEvent>;
  broadcastRemoteUpdate(
    remoteEnvId: string,
    workspaceId: string,
    status: string,
    publicIp?: string,
  ): Promise<PublishedEvent>;
  broadcastSubagentUpdate(update: EventPayloads["subagent.update"]): Promise<PublishedEvent>;
  broadcastTeamUpdate(update: EventPayloads["team.update"]): Promise<PublishedEvent>;
}

export function createBroadcaster(hub: Pick<EventHub, "publish">, logger: Logger): Broadcaster {
  /** Whoever does not wait for the answer is not ended by it: then the log says what went wrong. */
  const publish = (event: PublishableEvent): Promise<PublishedEvent> => {
    const published = hub.publish(event);
    published.catch((error: unknown) =>
      logger.error({ type: event.type, error }, "an event was not published"),
    );
    return published;
  };
  return {
    broadcastEvent: ({ id, type, timestamp, projectId, workspaceId, sessionId, ...payload }) =>
      publish(
        activity(type, payload, {
          ...(id === undefined ? {} : { id }),
          ...(timestamp === undefined ? {} : { timestamp }),
          ...(projectId === undefined ? {} : { projectId }),
          workspaceId,
          ...(sessionId === undefined || sessionId === null ? {} : { sessionId }),
        }),
      ),
    broadcastSessionUpdate: (sessionId, workspaceId, lifecycle, summary, stats) =>
      publish(
        sessionUpdate(
          {
            sessionId,
            lifecycle: lifecycle === "capturing" ? "detected" : lifecycle,
            ...(summary === undefined ? {} : { summary }),
            ...(stats === undefined ? {} : { stats }),
          },
          { workspaceId },
        ),
      ),
    broadcastRemoteUpdate: (remoteEnvId, workspaceId, status, publicIp) =>
      publish(
        remoteUpdate(
          { remoteEnvId, status, ...(publicIp === undefined ? {} : { publicIp }) },
          { workspaceId },
        ),
      ),
    broadcastSubagentUpdate: (update) => publish(subagentUpdate(update)),
    broadcastTeamUpdate: (update) => publish(teamUpdate(update)),
  };
}
