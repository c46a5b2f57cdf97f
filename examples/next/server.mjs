/** A custom server of Next: pages are Next's, `/trpc` is served on the same port. */
import { createServer } from "node:http";
import { fileURLToPath } from "node:url";
import next from "next";
import { createSnapwire, createSnapwireRouter } from "snapwire";
import { mountSnapwire } from "snapwire/server";

export const live = createSnapwire();

export async function start({ port = 3000, dev = process.env.NODE_ENV !== "production" } = {}) {
  const app = next({ dev, dir: fileURLToPath(new URL(".", import.meta.url)) });
  await app.prepare();
  const server = createServer(app.getRequestHandler());
  const mount = mountSnapwire(server, {
    live,
    router: createSnapwireRouter({ live }),
    ownUpgrades: false, // Next has a socket of its own in development
  });
  await live.start();
  await new Promise((resolve) => server.listen(port, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    async stop() {
      await mount.drain();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await live.stop();
      await app.close();
    },
  };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { url, stop } = await start();
  console.log(url);
  process.once("SIGTERM", stop);
}
