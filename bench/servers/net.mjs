/** Node's `net` with a ready buffer: no protocol at all, one `write` per socket and turn. The limit of Node. */
import { createServer } from "node:net";
import { frameOf } from "./change.mjs";

export async function serve({ entry }) {
  const sockets = new Set();
  const server = createServer({ noDelay: true }, (socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined);
    socket.on("close", () => sockets.delete(socket));
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    port: server.address().port,
    subscribers: () => sockets.size,
    publish(changes) {
      const ready = Buffer.concat(
        changes.flatMap((change) => {
          const body = Buffer.from(JSON.stringify(frameOf(entry, change)));
          const length = Buffer.alloc(4);
          length.writeUInt32LE(body.length);
          return [length, body];
        }),
      );
      for (const socket of sockets) socket.write(ready);
    },
  };
}
