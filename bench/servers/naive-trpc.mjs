/** tRPC as its documentation shows a subscription: an EventEmitter, `on`, `tracked`; over WebSocket, or over SSE. */
import { EventEmitter, on } from "node:events";
import { initTRPC, tracked } from "@trpc/server";
import { createHTTPServer } from "@trpc/server/adapters/standalone";
import { applyWSSHandler } from "@trpc/server/adapters/ws";
import superjson from "superjson";
import { WebSocketServer } from "ws";
import { z } from "zod";
import { frameOf } from "./change.mjs";

export async function serve({ entry, sse = false }) {
  const emitter = new EventEmitter().setMaxListeners(0);
  const t = initTRPC.create({ transformer: superjson });
  const router = t.router({
    onChange: t.procedure
      .input(z.object({ projectId: z.string(), lastEventId: z.string().nullish() }))
      .subscription(async function* ({ signal }) {
        for await (const [frame] of on(emitter, "change", { signal })) {
          yield tracked(String(frame.entry.version), frame);
        }
      }),
  });
  const port = sse ? await serveSse(router) : await serveWebSocket(router);
  return {
    port,
    subscribers: () => emitter.listenerCount("change"),
    publish(changes) {
      for (const change of changes) emitter.emit("change", frameOf(entry, change));
    },
  };
}

async function serveWebSocket(router) {
  const wss = new WebSocketServer({ port: 0, host: "127.0.0.1" });
  applyWSSHandler({ wss, router, createContext: () => ({}) });
  await new Promise((resolve) => wss.once("listening", resolve));
  return wss.address().port;
}

async function serveSse(router) {
  const http = createHTTPServer({ router, basePath: "/trpc/", createContext: () => ({}) });
  await new Promise((resolve) => http.listen(0, "127.0.0.1", resolve));
  return http.address().port;
}
