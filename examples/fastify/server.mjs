/** A Fastify application with live projects: its routes stay its own, `/trpc` is served on the same port. */
import { fileURLToPath } from "node:url";
import Fastify from "fastify";
import { mountSnapwire } from "snapwire/server";
import { appRouter, live, USERS } from "./router.mjs";

export async function start(port = 3000) {
  const app = Fastify();
  app.get("/", () => "the application's own page");
  // The route that renames, as it was; one line more says what changed.
  app.put("/workspaces/:project/:name", async (request, reply) => {
    const { project, name } = request.params;
    await live.workspaces.upsert(`${project}/${name}`, { projectId: project, name: request.body.title });
    return reply.status(204).send();
  });

  const mount = mountSnapwire(app.server, {
    live,
    router: appRouter,
    authenticate: (_request, params) =>
      params?.token in USERS ? { subject: params.token, role: "viewer", projects: "*" } : null,
    createContext: ({ snapwire: { identity, connection } }) => ({
      user: identity ? USERS[identity.subject] : null,
      connection,
    }),
  });
  app.addHook("preClose", () => mount.drain());
  app.addHook("onClose", () => live.stop());

  await live.start();
  const url = await app.listen({ port, host: "127.0.0.1" });
  return { url, stop: () => app.close() };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { url, stop } = await start();
  console.log(url);
  process.once("SIGTERM", stop);
}
