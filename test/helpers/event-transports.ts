/** Every way on which events reach somebody. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { applyWSSHandler } from "@trpc/server/adapters/ws";
import { WebSocketServer } from "ws";
import type { EventTargets } from "../../src/events/hub.ts";
import type { EventFrame } from "../../src/protocol/envelope.ts";
import type { TrackedFrame } from "../../src/protocol/frames.ts";
import { createSnapwireRouter } from "../../src/router/index.ts";
import { createSnapwireServer } from "../../src/server/index.ts";
import type { Snapwire } from "../../src/snapwire.ts";
import { unwrap } from "../../src/testing.ts";
import { stockClient, stockSseClient } from "./served.ts";

const ADMIN = { subject: "t", role: "admin", projects: "*" } as const;

export interface Hearing {
  readonly frames: readonly TrackedFrame<EventFrame>[];
  stop(): void;
}

export interface EventTransport extends AsyncDisposable {
  hear(target: EventTargets, lastEventId?: string): Hearing;
}

type Trpc = ReturnType<typeof stockClient>["trpc"];

/** Subscribes, and keeps every frame in order. */
export function hear(trpc: Trpc, target: EventTargets, lastEventId?: string): Hearing {
  const frames: TrackedFrame<EventFrame>[] = [];
  const { unsubscribe } = trpc.events.onScope.subscribe(
    { ...target, ...(lastEventId === undefined ? {} : { lastEventId }) },
    { onData: (frame) => void frames.push(frame) },
  );
  return { frames, stop: unsubscribe };
}

/** tRPC's own adapter: the plain iterable. */
export async function stockServer(live: Snapwire) {
  const http = createServer();
  const wss = new WebSocketServer({ server: http });
  applyWSSHandler({
    wss,
    router: createSnapwireRouter({ live }),
    createContext: () => ({ identity: ADMIN }),
  });
  await new Promise<void>((resolve) => {
    http.listen(0, "127.0.0.1", resolve);
  });
  return {
    url: `http://127.0.0.1:${(http.address() as AddressInfo).port}`,
    close: () => {
      for (const socket of wss.clients) socket.terminate();
      http.close();
    },
  };
}

export const EVENT_TRANSPORTS: Readonly<Record<string, (live: Snapwire) => Promise<EventTransport>>> = {
  pump: async (live) => {
    const server = createSnapwireServer({ live, router: createSnapwireRouter({ live }) });
    const client = stockClient(await server.listen());
    return {
      hear: (target, lastEventId) => hear(client.trpc, target, lastEventId),
      [Symbol.asyncDispose]: async () => {
        await client.connection.close();
        await server.close();
      },
    };
  },
  "the stock adapter of tRPC": async (live) => {
    const server = await stockServer(live);
    const client = stockClient(server.url);
    return {
      hear: (target, lastEventId) => hear(client.trpc, target, lastEventId),
      [Symbol.asyncDispose]: async () => {
        await client.connection.close();
        server.close();
      },
    };
  },
  "server-sent events": async (live) => {
    const server = createSnapwireServer({ live, router: createSnapwireRouter({ live }) });
    const { trpc, sources } = stockSseClient(await server.listen());
    return {
      hear: (target, lastEventId) => hear(trpc, target, lastEventId),
      [Symbol.asyncDispose]: async () => {
        for (const source of sources) source.close();
        await server.close();
      },
    };
  },
  "a caller": async (live) => {
    const router = createSnapwireRouter({ live });
    const aborts: AbortController[] = [];
    return {
      hear: (target, lastEventId) => {
        const abort = new AbortController();
        aborts.push(abort);
        const caller = router.createCaller({ identity: ADMIN }, { signal: abort.signal });
        const input = { ...target, ...(lastEventId === undefined ? {} : { lastEventId }) };
        return collect(unwrap(caller.events.onScope(input)), abort);
      },
      [Symbol.asyncDispose]: async () => {
        for (const abort of aborts) abort.abort();
      },
    };
  },
  "live.events.watch": async (live) => {
    const aborts: AbortController[] = [];
    return {
      hear: (target, lastEventId) => {
        const abort = new AbortController();
        aborts.push(abort);
        return collect(live.events.watch(target, { lastEventId, signal: abort.signal }), abort);
      },
      [Symbol.asyncDispose]: async () => {
        for (const abort of aborts) abort.abort();
      },
    };
  },
};

function collect(iterable: AsyncIterable<TrackedFrame<EventFrame>>, abort: AbortController): Hearing {
  const frames: TrackedFrame<EventFrame>[] = [];
  void (async () => {
    for await (const frame of iterable) frames.push(frame);
  })();
  return { frames, stop: () => abort.abort() };
}
