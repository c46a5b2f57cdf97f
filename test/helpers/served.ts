/** A whole service on a free port, and stock clients of it: what a stranger would write from tRPC's own manual. */
import { createTRPCClient, createWSClient, httpSubscriptionLink, wsLink } from "@trpc/client";
import { EventSource } from "eventsource";
import superjson from "superjson";
import { WebSocket } from "ws";
import type { SnapshotFrame, TrackedFrame } from "../../src/protocol/frames.ts";
import { createSnapwireRouter, type SnapwireRouter } from "../../src/router/index.ts";
import {
  createSnapwireServer,
  type PlainOptions,
  plainEndpoints,
  type SnapwireServerOptions,
} from "../../src/server/index.ts";
import { createSnapwire, type Snapwire, type SnapwireOptions } from "../../src/snapwire.ts";

export interface Served extends AsyncDisposable {
  readonly live: Snapwire;
  readonly url: string;
  readonly server: ReturnType<typeof createSnapwireServer>;
}

export async function serve(
  options: SnapwireOptions & {
    readonly port?: number;
    readonly server?: Partial<SnapwireServerOptions>;
    readonly recheckEveryMs?: number;
    /** Endpoints for clients without tRPC. */
    readonly plain?: PlainOptions;
  } = {},
): Promise<Served> {
  const { port, server: serverOptions, recheckEveryMs, plain, ...snapwire } = options;
  const live = createSnapwire(snapwire);
  await live.start();
  const router = createSnapwireRouter({ live, ...(recheckEveryMs === undefined ? {} : { recheckEveryMs }) });
  const server = createSnapwireServer({
    live,
    router,
    ...(plain && {
      plain: plainEndpoints(live, { ...plain, ...(recheckEveryMs === undefined ? {} : { recheckEveryMs }) }),
    }),
    ...serverOptions,
  });
  const url = await server.listen(port);
  return {
    live,
    url,
    server,
    async [Symbol.asyncDispose]() {
      await server.close();
      await live.stop();
    },
  };
}

/** A stock tRPC client over a WebSocket. `sockets` are the raw ones, newest last, for tests that pull the plug. */
export function stockClient(url: string, token?: string) {
  const sockets: WebSocket[] = [];
  class Recorded extends WebSocket {
    constructor(address: string | URL) {
      super(address);
      sockets.push(this);
    }
  }
  const connection = createWSClient({
    url: `${url.replace("http", "ws")}/trpc`,
    WebSocket: Recorded as unknown as typeof globalThis.WebSocket,
    retryDelayMs: () => 10,
    ...(token === undefined ? {} : { connectionParams: { token } }),
  });
  const trpc = createTRPCClient<SnapwireRouter>({
    links: [wsLink({ client: connection, transformer: superjson })],
  });
  return { trpc, sockets, connection, [Symbol.asyncDispose]: () => connection.close() };
}

/** A stock tRPC client over server-sent events. */
export function stockSseClient(url: string) {
  const sources: EventSource[] = [];
  class Recorded extends EventSource {
    constructor(...args: ConstructorParameters<typeof EventSource>) {
      super(...args);
      sources.push(this);
    }
  }
  const trpc = createTRPCClient<SnapwireRouter>({
    links: [httpSubscriptionLink({ url: `${url}/trpc`, transformer: superjson, EventSource: Recorded })],
  });
  return { trpc, sources };
}

/** Subscribes, and keeps every frame in order. */
export function watch(
  trpc: ReturnType<typeof stockClient>["trpc"],
  projectId: string,
  lastEventId?: string,
): { readonly frames: TrackedFrame<SnapshotFrame>[]; readonly errors: unknown[]; stop(): void } {
  const frames: TrackedFrame<SnapshotFrame>[] = [];
  const errors: unknown[] = [];
  const { unsubscribe } = trpc.snapshots.onProject.subscribe(
    { projectId, ...(lastEventId === undefined ? {} : { lastEventId }) },
    { onData: (frame) => void frames.push(frame), onError: (error) => void errors.push(error) },
  );
  return { frames, errors, stop: unsubscribe };
}

/** What a simple client knows after these frames: workspace id to version. */
export function versionsAfter(frames: readonly TrackedFrame<SnapshotFrame>[]): Map<string, number> {
  const versions = new Map<string, number>();
  for (const { data } of frames) {
    if (data.type === "snapshot_full") {
      versions.clear();
      for (const { workspaceId, version } of data.entries) versions.set(workspaceId, version);
    } else if (data.type === "snapshot_changed") versions.set(data.workspaceId, data.entry.version);
    else if (data.type === "snapshot_removed") versions.delete(data.workspaceId);
  }
  return versions;
}

export function versionsIn(live: Snapwire, projectId: string): Map<string, number> {
  return new Map(
    live.workspaces.getByProjectId(projectId).map(({ workspaceId, version }) => [workspaceId, version]),
  );
}
