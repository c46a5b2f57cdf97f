/** Raw `ws`: the text is made once per change, and sent in a loop. With `corked`, one write per socket and turn. */
import { WebSocketServer } from "ws";
import { frameOf } from "./change.mjs";

export async function serve({ entry, corked = false }) {
  const wss = new WebSocketServer({ port: 0, host: "127.0.0.1" });
  await new Promise((resolve) => wss.once("listening", resolve));
  wss.on("connection", (socket) => socket.on("error", () => undefined));
  return {
    port: wss.address().port,
    subscribers: () => wss.clients.size,
    publish(changes) {
      const texts = changes.map((change) => JSON.stringify(frameOf(entry, change)));
      if (corked) {
        for (const socket of wss.clients) {
          socket._socket.cork();
          for (const text of texts) socket.send(text);
          socket._socket.uncork();
        }
        return;
      }
      for (const text of texts) {
        for (const socket of wss.clients) socket.send(text);
      }
    },
  };
}
