/** Hosts that serve their own router with tRPC's own adapters, and stock clients of them. */
import { once } from "node:events";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import type { AnyRouter } from "@trpc/server";
import { createHTTPHandler } from "@trpc/server/adapters/standalone";
import { applyWSSHandler } from "@trpc/server/adapters/ws";
import superjson from "superjson";
import { WebSocket, WebSocketServer } from "ws";
import type { SnapshotFrame } from "../../src/index.ts";
import type { TrackedFrame } from "../../src/protocol/frames.ts";

export interface ServedSockets extends AsyncDisposable {
  readonly url: string;
  /** Cuts every socket, as a server or a proxy that goes away does. */
  cut(): void;
  readonly open: () => number;
  readonly sockets: ReadonlySet<WebSocket>;
}

/** tRPC's WebSocket adapter, of whichever version the host has. */
type ApplyWSSHandler = (options: {
  wss: never;
  router: never;
  createContext: (options: { req: IncomingMessage; res: WebSocket }) => never;
}) => unknown;

export async function serveSockets(
  router: unknown,
  createContext: (options: { req: IncomingMessage; res: WebSocket }) => object,
  apply: unknown = applyWSSHandler,
): Promise<ServedSockets> {
  const wss = new WebSocketServer({ port: 0, host: "127.0.0.1" });
  await once(wss, "listening");
  (apply as ApplyWSSHandler)({
    wss: wss as never,
    router: router as never,
    createContext: (options) => createContext(options) as never,
  });
  const cut = (): void => {
    for (const socket of wss.clients) socket.terminate();
  };
  return {
    url: `ws://127.0.0.1:${(wss.address() as AddressInfo).port}`,
    cut,
    open: () => wss.clients.size,
    sockets: wss.clients,
    async [Symbol.asyncDispose]() {
      cut();
      await new Promise((resolve) => wss.close(resolve));
    },
  };
}

export async function serveHttp(
  router: AnyRouter,
  createContext: (options: { req: IncomingMessage; res: unknown }) => object,
): Promise<{ readonly url: string; cut(): void } & AsyncDisposable> {
  const server = createServer(createHTTPHandler({ router, createContext }));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    cut: () => server.closeAllConnections(),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** What a version of `@trpc/client` exports, as far as it is used here. */
export interface ClientLibrary {
  createWSClient(options: never): { close(): unknown };
  wsLink(options: never): unknown;
  createTRPCClient(options: never): unknown;
}

interface HostClient {
  readonly onProject: {
    subscribe(
      input: { projectId: string; lastEventId?: string },
      callbacks: {
        onData: (frame: TrackedFrame<SnapshotFrame>) => void;
        onError: (error: unknown) => void;
        onStopped: () => void;
      },
    ): { unsubscribe(): void };
  };
}

/** A stock client of that version: its snapshots, wherever the host nested them. */
export function stockSocketClient(library: ClientLibrary, url: string, path: readonly string[]) {
  const connection = library.createWSClient({ url, WebSocket, retryDelayMs: () => 5 } as never);
  const trpc = library.createTRPCClient({
    links: [library.wsLink({ client: connection, transformer: superjson } as never)],
  } as never);
  const snapshots = path.reduce<unknown>(
    (client, name) => (client as Record<string, unknown>)[name],
    trpc,
  ) as HostClient;
  return { snapshots, trpc, [Symbol.asyncDispose]: async () => void (await connection.close()) };
}

/** Subscribes with callbacks, and keeps what came. */
export function hearing(snapshots: HostClient, input: { projectId: string; lastEventId?: string }) {
  const frames: TrackedFrame<SnapshotFrame>[] = [];
  const errors: { message: string; data?: Record<string, unknown> }[] = [];
  let stopped = 0;
  const { unsubscribe } = snapshots.onProject.subscribe(input, {
    onData: (frame) => void frames.push(frame),
    onError: (error) => void errors.push(error as (typeof errors)[number]),
    onStopped: () => {
      stopped += 1;
    },
  });
  return { frames, data: () => frames.map(({ data }) => data), errors, stopped: () => stopped, unsubscribe };
}
