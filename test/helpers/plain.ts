/** A bare WebSocket, as a client without tRPC has it: text in, text out. */
import { once } from "node:events";
import { WebSocket } from "ws";

type JsonObject = Record<string, unknown>;

export interface PlainClient extends AsyncDisposable {
  readonly ws: WebSocket;
  /** What came, as it came. */
  readonly texts: string[];
  readonly frames: JsonObject[];
  readonly closed: Promise<{ code: number; reason: string }>;
  send(frame: object | string): void;
}

/** Does not wait for the 101: what follows it at once is not lost. */
export function dialPlain(url: string, headers: Record<string, string> = {}): PlainClient {
  const ws = new WebSocket(url.replace(/^http/, "ws"), { headers });
  const texts: string[] = [];
  const frames: JsonObject[] = [];
  ws.on("message", (data) => {
    texts.push(String(data));
    frames.push(JSON.parse(String(data)) as JsonObject);
  });
  ws.on("error", () => undefined);
  const closed = new Promise<{ code: number; reason: string }>((resolve) => {
    ws.on("close", (code, reason) => resolve({ code, reason: String(reason) }));
  });
  return {
    ws,
    texts,
    frames,
    closed,
    send: (frame) => ws.send(typeof frame === "string" ? frame : JSON.stringify(frame)),
    async [Symbol.asyncDispose]() {
      ws.terminate();
      await closed;
    },
  };
}

export async function openPlain(url: string, headers: Record<string, string> = {}): Promise<PlainClient> {
  const client = dialPlain(url, headers);
  await once(client.ws, "open");
  return client;
}
