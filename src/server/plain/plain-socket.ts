/** A WebSocket as an endpoint without tRPC uses it. */
import type { IncomingMessage } from "node:http";
import { type RawData, WebSocket } from "ws";
import type { Logger } from "../../log.ts";
import type { SnapwireConnection } from "../../router/context.ts";
import type { Identity } from "../../router/identity.ts";
import { connectionOf } from "../send-room.ts";

export interface PlainSocket {
  readonly identity: Identity;
  readonly query: URLSearchParams;
  /** Aborted when the socket is gone. */
  readonly signal: AbortSignal;
  /** What feeds claim before they send. */
  readonly room: SnapwireConnection | undefined;
  readonly isOpen: boolean;
  readonly logger: Logger;
  /** Sends now, whether there is room or not: for short answers. */
  send(frame: object): void;
  /** Sends what is shared with others: turned into JSON once. */
  sendShared(frame: object): void;
  /** One listener; text as it came, `undefined` for a binary message. Nothing that it throws reaches anybody. */
  onMessage(listener: (text: string | undefined) => void): void;
  close(code: number, reason: string): void;
  /** Asks again who this is: null when the rights have ended. */
  recheck(): Promise<Identity | null>;
}

export interface PlainSocketOptions {
  readonly ws: WebSocket;
  readonly request: IncomingMessage;
  readonly query: URLSearchParams;
  readonly identity: Identity;
  readonly recheck: () => Promise<Identity | null>;
  readonly highWaterBytes: number;
  readonly logger: Logger;
}

/** The text of a frame that many sockets get. */
const texts = new WeakMap<object, string>();

function textOf(frame: object): string {
  const known = texts.get(frame);
  if (known !== undefined) return known;
  const text = JSON.stringify(frame);
  texts.set(frame, text);
  return text;
}

/** Attaches its listeners in this turn. */
export function plainSocket(options: PlainSocketOptions): PlainSocket {
  const { ws, request, query, identity, recheck, highWaterBytes, logger } = options;
  const gone = new AbortController();
  let listener: ((text: string | undefined) => void) | undefined;

  ws.on("error", (error) => logger.debug({ reason: error.message }, "socket error"));
  ws.once("close", () => gone.abort());
  ws.on("message", (data: RawData, isBinary) => {
    if (ws.readyState !== WebSocket.OPEN) return; // `ws` goes on reading after a close has begun
    try {
      listener?.(isBinary || !Buffer.isBuffer(data) ? undefined : data.toString());
    } catch (error) {
      logger.error({ err: error }, "a message could not be handled");
    }
    holdBackIfFull();
  });

  /** Reads nothing more from a client that leaves its answers lying, until it has taken them. */
  function holdBackIfFull(): void {
    const { socket } = request;
    if (ws.isPaused || ws.bufferedAmount <= highWaterBytes || !socket.writableNeedDrain) return;
    ws.pause();
    socket.once("drain", () => ws.resume());
  }

  const write = (text: string): void => {
    if (ws.readyState === WebSocket.OPEN) ws.send(text);
  };
  return {
    identity,
    query,
    signal: gone.signal,
    room: connectionOf({ req: request, res: ws }, highWaterBytes),
    get isOpen() {
      return ws.readyState === WebSocket.OPEN;
    },
    logger,
    send: (frame) => write(JSON.stringify(frame)),
    sendShared: (frame) => write(textOf(frame)),
    onMessage: (next) => {
      listener = next;
    },
    close: (code, reason) => ws.close(code, reason),
    recheck,
  };
}
