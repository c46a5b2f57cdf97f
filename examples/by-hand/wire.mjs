/**
 * tRPC's own wire, spoken by hand: `node wire.mjs ws://127.0.0.1:4747 app [position]`. For tools that have a WebSocket and
 * no tRPC client; a token goes into SNAPWIRE_TOKEN. Input and data are superjson's: `{ "json": ... }`.
 */
import { WebSocket } from "ws";

export function follow(url, projectId, { position, token, onFrame }) {
  const ws = new WebSocket(`${url}/trpc?connectionParams=1`);
  const say = (message) => ws.send(JSON.stringify(message));
  ws.on("open", () => {
    say({ method: "connectionParams", data: token ? { token } : {} });
    const input = { json: { projectId } };
    const params = { path: "snapshots.onProject", input, ...(position && { lastEventId: position }) };
    say({ id: 1, method: "subscription", params });
  });
  ws.on("message", (raw) => {
    const text = String(raw);
    if (text === "PING") return ws.send("PONG");
    const { id, method, error, result } = JSON.parse(text);
    if (method === "reconnect") return ws.close(); // the server goes away: connect again, from the last position
    if (error) return onFrame({ error: error.json ?? error });
    if (id === 1 && result?.type === "data") {
      // `result.id` is the position: kept, it is where the next connection goes on.
      onFrame({ position: result.id, frame: result.data.json.data });
    }
  });
  ws.on("error", (error) => onFrame({ error }));
  return {
    stop: () => say({ id: 1, method: "subscription.stop" }),
    close: () => ws.close(),
  };
}

if (process.argv[1] === new URL(import.meta.url).pathname) {
  const [url, projectId, position] = process.argv.slice(2);
  const onFrame = (told) => console.log(JSON.stringify(told));
  follow(url, projectId, { position, token: process.env.SNAPWIRE_TOKEN, onFrame });
}
