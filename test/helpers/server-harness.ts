/** A running server, and clients of it that know nothing of tRPC: raw sockets and bare WebSockets. */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import superjson from "superjson";
import { WebSocket } from "ws";
import type { Health, SnapwireStats, Transport } from "../../src/health.ts";
import type { Logger } from "../../src/log.ts";
import { createSnapwireServer, type SnapwireServerOptions } from "../../src/server/index.ts";
import { createServerRouter } from "./server-router.ts";

export const HEALTH: Health = { status: "ok", ws_clients: 0, uptime: 1, version: "0.0.0", checks: {} };

const STATS: SnapwireStats = {
  agents: {
    devices: 0,
    inboxes: 0,
    waiting: 0,
    inFlight: 0,
    stuck: 0,
    deadLetters: 0,
    settled: 0,
    bytes: 0,
    settledBytes: 0,
    senders: 0,
    watchers: 0,
  },
  events: {
    subscriptions: 0,
    deliveries: 0,
    resumes: 0,
    gaps: 0,
    published: 0,
    duplicates: 0,
    retained: 0,
    retainedBytes: 0,
  },
  sessions: { known: 0, waiting: 0, subscriptions: 0 },
  streams: { rows: 0, subscriptions: 0 },
  sockets: 0,
  bufferedBytes: 0,
  stalledSockets: 0,
  encodes: 0,
  writes: 0,
  sentBytes: 0,
  subscriptions: 0,
  deliveries: 0,
  conflated: 0,
  resumes: 0,
  fulls: { first: 0, "epoch-changed": 0, trimmed: 0, ahead: 0, invalid: 0 },
  projects: 0,
  workspaces: 0,
  tombstones: 0,
  counters: {},
};

export function fakeLive() {
  const transports = new Set<Transport>();
  const live = {
    isReady: true,
    current: HEALTH,
    transports,
    ready: () => live.isReady,
    health: () => live.current,
    stats: () => STATS,
    addTransport: (transport: Transport) => {
      transports.add(transport);
      return () => void transports.delete(transport);
    },
  };
  return live;
}

/** Keeps what was said, so that a test can look for what must not be there. */
export function recordingLogger() {
  const lines: { level: string; facts: object; message: string }[] = [];
  const at =
    (level: string) =>
    (facts: object, message: string): void =>
      void lines.push({ level, facts, message });
  const logger: Logger = { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
  return { logger, lines, errors: () => lines.filter((line) => line.level === "error") };
}

export async function serve(options: Partial<SnapwireServerOptions> = {}) {
  const live = fakeLive();
  const log = recordingLogger();
  const parts = createServerRouter();
  const server = createSnapwireServer({ live, router: parts.router, logger: log.logger, ...options });
  const url = await server.listen();
  const port = Number(new URL(url).port);
  return {
    ...parts,
    live,
    log,
    server,
    port,
    url: `${url}/trpc`,
    wsUrl: `ws://127.0.0.1:${port}/trpc`,
    at: (path: string) => `${url}${path}`,
    [Symbol.asyncDispose]: () => server.close(),
  };
}

interface Frame {
  id: string | number | null;
  method?: string;
  result?: { type: string; id?: string; data?: { json: unknown } };
  error?: { json: { code: number; message: string; data: { code: string; path?: string } } };
}

export interface Bare extends AsyncDisposable {
  readonly ws: WebSocket;
  readonly frames: Frame[];
  readonly closed: Promise<{ code: number; reason: string }>;
  send(...messages: unknown[]): void;
  /** One frame that holds all of them. */
  sendBatch(messages: readonly unknown[]): void;
  frameOf(id: string | number | null): Frame | undefined;
}

/** Opens a bare WebSocket; resolves when it is open. */
export async function open(url: string, options: { headers?: Record<string, string> } = {}): Promise<Bare> {
  const ws = new WebSocket(url, options);
  const frames: Frame[] = [];
  ws.on("message", (data) => {
    const text = String(data);
    if (text !== "PONG") frames.push(JSON.parse(text) as Frame);
  });
  ws.on("error", () => undefined);
  const closed = new Promise<{ code: number; reason: string }>((resolve) => {
    ws.on("close", (code, reason) => resolve({ code, reason: String(reason) }));
  });
  await once(ws, "open");
  return {
    ws,
    frames,
    closed,
    send: (...messages) => {
      for (const message of messages)
        ws.send(typeof message === "string" ? message : JSON.stringify(message));
    },
    sendBatch: (messages) => ws.send(JSON.stringify(messages)),
    frameOf: (id) => frames.find((frame) => frame.id === id),
    async [Symbol.asyncDispose]() {
      ws.terminate();
      await closed;
    },
  };
}

/** The status that answers an upgrade in place of a 101. */
export function refusedWith(url: string, headers: Record<string, string> = {}): Promise<number> {
  return new Promise((resolve, reject) => {
    const ws = new WebSocket(url, { headers });
    ws.on("unexpected-response", (_request, response) => {
      resolve(response.statusCode ?? 0);
      ws.terminate();
    });
    ws.on("open", () => {
      ws.terminate();
      reject(new Error("the upgrade was accepted"));
    });
    ws.on("error", () => undefined);
  });
}

export const call = (id: unknown, method: string, path: string, input?: unknown, more: object = {}) => ({
  id,
  method,
  params: { path, input: superjson.serialize(input), ...more },
});

/** What came back from a raw TCP socket until it ended. */
export async function talk(port: number, bytes: string | Buffer, { end = false } = {}): Promise<string> {
  const socket = connect(port, "127.0.0.1");
  let answer = "";
  socket.on("data", (chunk) => {
    answer += chunk.toString("latin1");
  });
  socket.on("error", () => undefined);
  await once(socket, "connect");
  if (end) socket.end(bytes);
  else socket.write(bytes);
  await once(socket, "close");
  return answer;
}

export function upgradeText(path = "/trpc", headers: Record<string, string> = {}): string {
  const all: Record<string, string> = {
    Host: "127.0.0.1",
    Connection: "Upgrade",
    Upgrade: "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    ...headers,
  };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}`);
  return [`GET ${path} HTTP/1.1`, ...lines, "", ""].join("\r\n");
}

/** One client frame, masked with zeros. */
export function frameBytes(opcode: number, payload: Buffer, length = payload.length): Buffer {
  const head =
    length < 126
      ? Buffer.from([0x80 | opcode, 0x80 | length])
      : Buffer.from([
          0x80 | opcode,
          0x80 | 127,
          0,
          0,
          0,
          0,
          length >>> 24,
          (length >>> 16) & 255,
          (length >>> 8) & 255,
          length & 255,
        ]);
  return Buffer.concat([head, Buffer.alloc(4), payload]);
}

interface RawSocket {
  readonly socket: Socket;
  /** What came after the 101. */
  received(): Buffer;
  receivedBytes(): number;
  readonly closed: Promise<unknown>;
}

/** A raw TCP connection that has been upgraded. */
export async function rawSocket(port: number): Promise<RawSocket> {
  const socket = connect(port, "127.0.0.1");
  const chunks: Buffer[] = [];
  let bytes = 0;
  socket.on("error", () => undefined);
  const closed = once(socket, "close");
  socket.write(upgradeText());
  const [first] = (await once(socket, "data")) as [Buffer];
  const take = (chunk: Buffer): void => {
    chunks.push(chunk);
    bytes += chunk.length;
  };
  take(first.subarray(first.indexOf("\r\n\r\n") + 4));
  socket.on("data", take);
  return { socket, received: () => Buffer.concat(chunks), receivedBytes: () => bytes, closed };
}
