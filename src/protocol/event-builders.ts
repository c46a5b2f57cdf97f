/** A typed builder for each kind of event: `publish(streamCreated({ projectId, streamId, name }))`. */
import type { PublishableEvent } from "./envelope.ts";
import type { ActivityType, EventPayloads, EventType } from "./event-types.ts";

/** What may be said of an event beside its payload. */
export type EventAbout = Omit<PublishableEvent, "type" | "payload">;

export type EventBuilder<Type extends EventType> = (
  payload: EventPayloads[Type],
  about?: EventAbout,
) => PublishableEvent<Type>;

const builder =
  <Type extends EventType>(type: Type): EventBuilder<Type> =>
  (payload, about) =>
    ({ ...about, type, payload }) as unknown as PublishableEvent<Type>;

export const streamCreated = builder("stream:created");
export const streamArchived = builder("stream:archived");
export const streamUpdated = builder("stream:updated");
export const streamPhaseChanged = builder("stream:phase-changed");
export const artifactCreated = builder("artifact:created");
export const artifactUpdated = builder("artifact:updated");
export const artifactDeleted = builder("artifact:deleted");
export const projectRegistered = builder("project:registered");
export const projectUnregistered = builder("project:unregistered");
export const sessionUpdate = builder("session.update");
export const remoteUpdate = builder("remote.update");
export const subagentUpdate = builder("subagent.update");
export const teamUpdate = builder("team.update");

/** What happened in a session, a repository or on a device. */
export function activity<Type extends ActivityType>(
  type: Type,
  payload: EventPayloads[Type],
  about?: EventAbout,
): PublishableEvent<Type> {
  return builder(type)(payload, about);
}
