/**
 * A tRPC server whose subscriptions are scripted by the test: it sees each start with its input, and says what is
 * delivered. Built with the test's own copy of tRPC, so that servers of hosts of any age can be played.
 */
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { initTRPC, TRPCError, tracked } from "@trpc/server";
import { createHTTPHandler } from "@trpc/server/adapters/standalone";
import { applyWSSHandler } from "@trpc/server/adapters/ws";
import superjson from "superjson";
import { WebSocketServer } from "ws";
import { z } from "zod";
import type { SnapshotFrame } from "../../src/protocol/frames.ts";
import type { TestEntry, TestFrame } from "./client-frames.ts";

type Said = { readonly frame: TestFrame } | { readonly fail: Error } | { readonly end: true };

/** One run of the procedure: one subscription, or one resume of it. */
class ServedSubscription {
  readonly projectId: string;
  readonly lastEventId: string | null | undefined;
  readonly token: string | undefined;
  readonly #said: Said[] = [];
  #wake: (() => void) | undefined;
  over = false;

  constructor(projectId: string, lastEventId: string | null | undefined, token: string | undefined) {
    this.projectId = projectId;
    this.lastEventId = lastEventId;
    this.token = token;
  }

  deliver(...frames: readonly TestFrame[]): void {
    for (const frame of frames) this.#say({ frame });
  }

  fail(code: TRPCError["code"], message: string = code): void {
    this.#say({ fail: new TRPCError({ code, message }) });
  }

  end(): void {
    this.#say({ end: true });
  }

  #say(said: Said): void {
    this.#said.push(said);
    this.#wake?.();
  }

  async *frames(signal: AbortSignal | undefined): AsyncGenerator<TestFrame> {
    const wake = (): void => this.#wake?.();
    signal?.addEventListener("abort", wake);
    try {
      while (!signal?.aborted) {
        const said = this.#said.shift();
        if (!said) {
          await new Promise<void>((resolve) => {
            this.#wake = resolve;
          });
        } else if ("frame" in said) yield said.frame;
        else if ("fail" in said) throw said.fail;
        else return;
      }
    } finally {
      this.over = true;
      signal?.removeEventListener("abort", wake);
    }
  }
}

interface Context {
  readonly token: string | undefined;
}

/** What the client types see: a host that nested Snapwire two levels deep, and a procedure of its own. */
function createTestRouter(onSubscription: (subscription: ServedSubscription) => void, allowed: Allowed) {
  const t = initTRPC.context<Context>().create({ transformer: superjson });
  const guarded = t.procedure.use(({ ctx, next }) => {
    if (allowed.tokens && !allowed.tokens.includes(ctx.token ?? ""))
      throw new TRPCError({ code: "UNAUTHORIZED", message: "who are you" });
    return next();
  });
  const snapshots = t.router({
    onProject: guarded
      .input(z.object({ projectId: z.string(), lastEventId: z.string().nullish() }))
      .subscription(async function* ({ input, ctx, signal }) {
        const subscription = new ServedSubscription(input.projectId, input.lastEventId, ctx.token);
        onSubscription(subscription);
        for await (const { id, data } of subscription.frames(signal))
          yield tracked(id, data as SnapshotFrame<TestEntry>);
      }),
  });
  return t.router({
    snapshots,
    team: t.router({ live: t.router({ snapshots }) }),
    whoami: t.procedure.query(({ ctx }) => ctx.token ?? "nobody"),
    slow: t.procedure.mutation(() => {
      allowed.asked += 1;
      return allowed.slow ?? "done";
    }),
  });
}

/** What the server lets pass; a test changes it as it goes. */
interface Allowed {
  /** Undefined: everybody. */
  tokens?: readonly string[];
  /** What the slow mutation waits for. */
  slow?: Promise<string>;
  /** How often that was called. */
  asked: number;
}

export type TestRouter = ReturnType<typeof createTestRouter>;

export interface TestServer extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  readonly subscriptions: ServedSubscription[];
  readonly allowed: Allowed;
  /** The requests that asked for a WebSocket, oldest first. */
  readonly upgrades: IncomingMessage[];
  readonly openSockets: number;
  /** Resolves to the nth subscription that started, counted from 1. */
  nth(n: number): Promise<ServedSubscription>;
  /** Cuts every socket without a closing handshake. */
  cut(): void;
  /** Asks every client to reconnect, as tRPC's own adapter does. */
  notice(): void;
  stop(): Promise<void>;
}

export async function serveTest({ port = 0 } = {}): Promise<TestServer> {
  const subscriptions: ServedSubscription[] = [];
  const waiting = new Set<() => void>();
  const allowed: Allowed = { asked: 0 };
  const router = createTestRouter((subscription) => {
    subscriptions.push(subscription);
    for (const wake of [...waiting]) wake();
  }, allowed);
  const handler = createHTTPHandler({
    router,
    basePath: "/trpc/",
    createContext: ({ info }): Context => ({ token: info.connectionParams?.token }),
  });
  const http: Server = createServer((request, response) => handler(request, response));
  const wires = new Set<Socket>();
  http.on("connection", (wire) => {
    wires.add(wire);
    wire.on("close", () => wires.delete(wire));
  });
  const wss = new WebSocketServer({ noServer: true });
  const upgrades: IncomingMessage[] = [];
  http.on("upgrade", (request, socket, head) => {
    upgrades.push(request);
    wss.handleUpgrade(request, socket, head, (ws) => wss.emit("connection", ws, request));
  });
  const trpc = applyWSSHandler({
    wss,
    router,
    createContext: ({ info }): Context => ({ token: info.connectionParams?.token }),
  });
  await new Promise<void>((resolve) => http.listen(port, "127.0.0.1", resolve));
  const address = http.address() as AddressInfo;
  let stopping: Promise<void> | undefined;
  const cut = (): void => {
    for (const wire of wires) wire.destroy();
  };
  const stop = (): Promise<void> => {
    stopping ??= new Promise((resolve) => {
      cut();
      wss.close();
      http.close(() => resolve());
    });
    return stopping;
  };
  return {
    url: `http://127.0.0.1:${address.port}`,
    port: address.port,
    subscriptions,
    allowed,
    upgrades,
    get openSockets() {
      return wss.clients.size;
    },
    async nth(n) {
      while (subscriptions.length < n) {
        await new Promise<void>((resolve) => {
          const wake = (): void => {
            waiting.delete(wake);
            resolve();
          };
          waiting.add(wake);
        });
      }
      return subscriptions[n - 1] as ServedSubscription;
    },
    cut,
    notice: () => trpc.broadcastReconnectNotification(),
    stop,
    [Symbol.asyncDispose]: stop,
  };
}
