/** A host that publishes and listens: what its compiler knows of events. */
import { createTRPCClient, createWSClient, wsLink } from "@trpc/client";
import {
  activity,
  createSnapwire,
  defineEvents,
  type EventFrame,
  type HubEvent,
  isHubEvent,
  readEventFrame,
  type SnapwireRouter,
  streamArchived,
  streamCreated,
} from "snapwire";
import superjson from "superjson";
import { z } from "zod";
import { holds, type IsAny, type Same } from "./is-any.js";

const deploys = defineEvents({ "deploy:finished": z.object({ ok: z.boolean().default(true) }) });
export const live = createSnapwire({ events: { types: deploys.types, eventsPerProject: 5 } });

holds<Same<IsAny<EventFrame>, false>>();
holds<Same<HubEvent<"stream:created">["payload"]["name"], string>>();

export async function publishes(): Promise<void> {
  const { position, duplicate } = await live.events.publish(
    streamCreated({ projectId: "p", streamId: "s", name: "n" }, { id: "own", workspaceId: "w" }),
  );
  holds<Same<[typeof position, typeof duplicate], [string, boolean]>>();
  await live.events.publish({ type: "project:registered", payload: { projectId: "p", name: "P" } });
  await live.events.publish(activity("git.commit", { deviceId: "d", data: { sha: "0" } }));
  await live.events.publish(deploys.build["deploy:finished"]({}));
  // @ts-expect-error no such outcome
  streamArchived({ projectId: "p", streamId: "s", outcome: "gone" });
  // @ts-expect-error a payload of another type
  await live.events.publish({ type: "project:registered", payload: { projectId: "p", streamId: "s" } });
  // @ts-expect-error nobody knows this type, and it was not built
  await live.events.publish({ type: "deploy:finished", payload: { ok: true } });
  // @ts-expect-error it is not what the schema takes
  deploys.build["deploy:finished"]({ ok: "yes" });
  // @ts-expect-error one target, or targets
  live.events.recent({});
}

const client = createWSClient({ url: "ws://127.0.0.1:4000/trpc" });
const trpc = createTRPCClient<SnapwireRouter>({ links: [wsLink({ client, transformer: superjson })] });

export function listens(): void {
  trpc.events.onScope.subscribe(
    { targets: [{ projectId: "p" }, { scope: "all" }] },
    {
      onData: ({ id, data }) => {
        holds<Same<typeof id, string>>();
        holds<Same<IsAny<typeof data>, false>>();
        if (data.type === "gap") holds<Same<typeof data.payload.certain, boolean>>();
        if (data.type === "session.update") holds<Same<typeof data.payload.summary, string | undefined>>();
        if (isHubEvent(data)) holds<Same<typeof data.id, string>>();
        const deploy = deploys.read("deploy:finished", data);
        if (deploy) holds<Same<typeof deploy.ok, boolean>>();
      },
    },
  );
  // @ts-expect-error an unknown target
  trpc.events.onScope.subscribe({ streamId: "s" }, {});
}

export async function asks(): Promise<void> {
  const { position, events } = await trpc.events.recent.query({ workspaceId: "w", limit: 3 });
  holds<Same<typeof position, string>>();
  holds<Same<(typeof events)[number], HubEvent>>();
  const { ingested } = await trpc.events.ingest.mutate({
    events: [activity("git.push", { deviceId: "d", data: {} })],
  });
  holds<Same<typeof ingested, number>>();
  const frame = readEventFrame(JSON.parse("{}"));
  holds<Same<typeof frame, EventFrame | undefined>>();
}
