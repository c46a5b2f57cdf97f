/** A refusal before anything of tRPC begins: on a response, or on the bare socket of an upgrade. */
import { type OutgoingHttpHeaders, type ServerResponse, STATUS_CODES } from "node:http";
import type { Duplex } from "node:stream";

export interface Refusal {
  readonly status: number;
  /** For a person; never repeats what the client sent. */
  readonly message: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export const NO_SOCKET_HERE: Refusal = { status: 404, message: "No WebSocket is served here." };

export function refuseRequest(response: ServerResponse, { status, message, headers }: Refusal): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  const all: OutgoingHttpHeaders = {
    "content-type": "text/plain; charset=utf-8",
    "cache-control": "no-store",
    ...headers,
  };
  response.writeHead(status, all);
  response.end(`${message}\n`);
}

/** Answers in place of the 101 and ends the socket. The caller has put an `error` listener on the socket. */
export function refuseUpgrade(socket: Duplex, { status, message, headers }: Refusal): void {
  if (!socket.writable) {
    socket.destroy();
    return;
  }
  const body = `${message}\n`;
  const all: Record<string, string> = {
    Connection: "close",
    "Content-Type": "text/plain; charset=utf-8",
    "Content-Length": String(Buffer.byteLength(body)),
    ...headers,
  };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}`);
  socket.once("finish", () => socket.destroy());
  socket.end([`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ""}`, ...lines, "", body].join("\r\n"));
}
