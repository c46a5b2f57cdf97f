/** `/hub/ws`: events as `{ type, payload, timestamp }`, with the cursor as one more key, `connection:status` first. */
import { iterate } from "../../feed/iterate.ts";
import type { EventFrame } from "../../protocol/envelope.ts";
import type { TrackedFrame } from "../../protocol/frames.ts";
import type { RightsSweep } from "../../router/rights.ts";
import type { Snapwire } from "../../snapwire.ts";
import { CLOSE } from "../close-codes.ts";
import type { PlainSocketEndpoint } from "./endpoint.ts";
import { type PlainTarget, targetsFor, tooMany } from "./event-targets.ts";
import type { HubMessage } from "./messages.ts";
import type { PlainSocket } from "./plain-socket.ts";

const MAX_ID = 512;
const MAX_CURSOR = 200;

export function hubEndpoint<Entry>(live: Snapwire<Entry>, rights: RightsSweep): PlainSocketEndpoint {
  const rooms = live as unknown as Snapwire<never>;
  return {
    path: "/hub/ws",
    maxPayloadBytes: 65_536,
    heartbeat: { pingEveryMs: 54_000, pongWithinMs: 6_000 },
    refuse(query, identity) {
      const [projectId, cursor] = [query.get("projectId"), query.get("cursor")];
      if (projectId === "" || (projectId ?? "").length > MAX_ID || (cursor ?? "").length > MAX_CURSOR)
        return {
          status: 400,
          message: "projectId must be the name of a project, cursor one that came here.",
        };
      const targets = identity && targetsFor(rooms, identity, targetOf(query));
      if (identity && !targets) return { status: 403, message: "This identity may not listen here." };
      if (targets && tooMany(targets))
        return { status: 400, message: "These are too many projects at once: say which one by projectId." };
      if (!live.serving()) return { status: 503, message: "The service is not running; try again later." };
      return undefined;
    },
    serve: (socket) => {
      watch(rooms, rights, socket).catch((error: unknown) => {
        socket.logger.error({ err: error }, "a plain subscription failed");
        socket.close(CLOSE.tryAgainLater, "Try again later");
      });
    },
  };
}

function targetOf(query: URLSearchParams): PlainTarget {
  const projectId = query.get("projectId");
  return projectId === null ? { scope: "all" } : { projectId };
}

async function watch(live: Snapwire<never>, rights: RightsSweep, socket: PlainSocket): Promise<void> {
  const target = targetOf(socket.query);
  const targets = targetsFor(live, socket.identity, target);
  if (!targets) return socket.close(CLOSE.unauthorized, "Unauthorized");
  const { feed } = live.events;
  const scope = live.events.scopeOfAuthorised(targets);
  const subscription = feed.join(scope);
  const unwatch = rights.watch({
    allowed: async () => {
      const identity = await socket.recheck();
      const now = identity && targetsFor(live, identity, target);
      if (!now) return false;
      // Whoever may read something else now connects again, and goes on from its cursor with that.
      if (tooMany(now) || live.events.scopeOfAuthorised(now) !== scope) subscription.close();
      return true;
    },
    revoke: () => subscription.end("revoked"),
  });
  try {
    const begin = (): Promise<void> => feed.begin(subscription, socket.query.get("cursor") || undefined);
    const { signal, room } = socket;
    for await (const frame of iterate(subscription, { begin, signal, room })) {
      if (frame.data.type === "connection:ended") return socket.close(CLOSE.unauthorized, "Unauthorized");
      socket.sendShared(hubMessage(frame));
    }
    return socket.close(CLOSE.tryAgainLater, "Connect again"); // the rights have changed, or the service stops
  } finally {
    unwatch();
    subscription.close();
  }
}

/** The message of a frame: one object for all who get it. */
const messages = new WeakMap<TrackedFrame<EventFrame>, HubMessage>();

function hubMessage(frame: TrackedFrame<EventFrame>): HubMessage {
  const known = messages.get(frame);
  if (known) return known;
  const { id: cursor, data } = frame;
  const { type, timestamp } = data;
  const payload = data.type === "connection:status" ? statusPayload(data.payload) : { ...data.payload };
  const message = { type, payload, timestamp, cursor };
  messages.set(frame, message);
  return message;
}

function statusPayload({ status, reason }: { readonly status: string; readonly reason?: string }) {
  return { status, ...(reason === undefined ? {} : { reason }) };
}
