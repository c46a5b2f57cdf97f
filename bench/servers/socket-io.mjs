/** Socket.IO: everybody in one room. */
import { createServer } from "node:http";
import { Server } from "socket.io";
import { frameOf } from "./change.mjs";

export async function serve({ entry }) {
  const http = createServer();
  const io = new Server(http, { transports: ["websocket"], serveClient: false });
  io.on("connection", (socket) => socket.join("bench"));
  await new Promise((resolve) => http.listen(0, "127.0.0.1", resolve));
  return {
    port: http.address().port,
    subscribers: () => io.sockets.adapter.rooms.get("bench")?.size ?? 0,
    publish(changes) {
      for (const change of changes) io.to("bench").emit("change", frameOf(entry, change));
    },
  };
}
