/** An Express application with live projects: its routes stay its own, `/trpc` is served on the same port. */
import { createServer } from "node:http";
import { fileURLToPath } from "node:url";
import express from "express";
import { mountSnapwire } from "snapwire/server";
import { appRouter, live, USERS } from "./router.mjs";

export async function start(port = 3000) {
  const app = express();
  app.use(express.json());
  app.get("/", (_request, response) => response.send("the application's own page"));
  // The route that renames, as it was; one line more says what changed.
  app.put("/workspaces/:project/:name", async (request, response) => {
    const { project, name } = request.params;
    await live.workspaces.upsert(`${project}/${name}`, { projectId: project, name: request.body.title });
    response.status(204).end();
  });

  const server = createServer(app);
  const mount = mountSnapwire(server, {
    live,
    router: appRouter,
    authenticate: (_request, params) =>
      params?.token in USERS ? { subject: params.token, role: "viewer", projects: "*" } : null,
    createContext: ({ snapwire: { identity, connection } }) => ({
      user: identity ? USERS[identity.subject] : null,
      connection,
    }),
  });
  await live.start();
  await new Promise((resolve) => server.listen(port, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    async stop() {
      await mount.drain();
      await new Promise((resolve) => server.close(resolve));
      await live.stop();
    },
  };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { url, stop } = await start();
  console.log(url);
  process.once("SIGTERM", stop);
}
