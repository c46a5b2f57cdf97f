/** Snapwire as it is built: its own server, or (`stock`) the same router served by tRPC's own WebSocket adapter. */
import { PADDING, readMark, scopeNameOf, workspaceIdOf } from "./change.mjs";

const built = (path) => import(new URL(path, process.env.SNAPWIRE_DIST).href);

export async function serve({ patch, keys, scopes = 1, stock = false }) {
  const { createSnapwire, createSnapwireRouter } = await built("src/index.js");
  const live = createSnapwire();
  await live.start();
  const router = createSnapwireRouter({ live });
  const port = stock ? await serveStock(router) : await serveOwn(live, router);
  /** What the entry of a key was last told beside its mark, so that a patch says no more than what changes. */
  const told = Array.from({ length: keys }, () => "");
  return {
    port,
    subscribers: () => live.stats().subscriptions,
    stats: () => live.stats(),
    async publish(changes) {
      await Promise.all(
        changes.map(({ key, mark, padded = false }) => {
          const shape = padded ? "padded" : "plain";
          const rest = told[key] === shape ? undefined : { ...patch, ...(padded ? { prUrl: PADDING } : {}) };
          told[key] = shape;
          const projectId = scopeNameOf(key % scopes);
          return live.workspaces.upsert(workspaceIdOf(key), { ...rest, projectId, branchName: mark });
        }),
      );
    },
    async remove(key) {
      told[key] = "";
      await live.workspaces.remove(workspaceIdOf(key));
    },
    state: () =>
      Array.from(
        { length: scopes },
        (_, scope) =>
          new Map(
            live.workspaces.getByProjectId(scopeNameOf(scope)).map(({ branchName }) => readMark(branchName)),
          ),
      ),
  };
}

async function serveOwn(live, router) {
  const { createSnapwireServer } = await built("src/server/index.js");
  const server = createSnapwireServer({ live, router });
  return Number(new URL(await server.listen()).port);
}

async function serveStock(router) {
  const [{ applyWSSHandler }, { WebSocketServer }, { connectionOf, LOCAL_ADMIN }] = await Promise.all([
    import("@trpc/server/adapters/ws"),
    import("ws"),
    built("src/server/index.js"),
  ]);
  const wss = new WebSocketServer({ port: 0, host: "127.0.0.1" });
  applyWSSHandler({
    wss,
    router,
    createContext: ({ req, res }) => ({ identity: LOCAL_ADMIN, connection: connectionOf({ req, res }) }),
  });
  await new Promise((resolve) => wss.once("listening", resolve));
  return wss.address().port;
}
