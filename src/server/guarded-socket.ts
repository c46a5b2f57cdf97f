/**
 * The socket as tRPC's handler sees it. It stands between `ws` and the handler and bounds what one client can make the
 * process hold: frames that come before the identity is known wait in order and in a small space; each message of a
 * batch is judged by itself; subscriptions are counted; a client that does not read its answers is not read either.
 */
import { EventEmitter } from "node:events";
import type { Duplex } from "node:stream";
import { type RawData, WebSocket } from "ws";
import type { Logger } from "../log.ts";
import { CLOSE } from "./close-codes.ts";
import type { ErrorFrame, ErrorWords } from "./error-frame.ts";
import type { Limits } from "./limits.ts";
import { type Message, parseJson, readMessage } from "./messages.ts";
import { SubscriptionCount } from "./subscription-count.ts";

/** Shared by all sockets of a mount. */
export interface GuardRules {
  readonly limits: Limits;
  readonly logger: Logger;
  readonly errorFrame: ErrorFrame;
  /** The router's input transformer. */
  readonly deserialize: (input: unknown) => unknown;
}

/** Sees what tRPC sends before the client does. @returns whether it keeps the frame. */
export type Intercept = (frame: string) => boolean;

interface GuardEvents {
  message: [data: Buffer, isBinary: boolean];
  close: [];
  error: [error: Error];
}

export class GuardedSocket extends EventEmitter<GuardEvents> {
  readonly #ws: WebSocket;
  readonly #socket: Duplex;
  readonly #rules: GuardRules;
  readonly #subscriptions: SubscriptionCount;
  readonly #intercept: Intercept | undefined;
  #firstFrame: ((frame: Buffer) => void) | undefined;
  /** What waits for the identity; `undefined` once frames go through. */
  #pending: Buffer[] | undefined = [];
  #pendingBytes = 0;
  #refusal: ErrorWords | undefined;

  /** @param firstFrame - takes the first frame, when the URL promised that it holds the connection parameters. */
  constructor(
    ws: WebSocket,
    socket: Duplex,
    rules: GuardRules,
    firstFrame?: (frame: Buffer) => void,
    intercept?: Intercept,
  ) {
    super();
    this.#ws = ws;
    this.#socket = socket;
    this.#rules = rules;
    this.#subscriptions = new SubscriptionCount(rules.limits.subscriptionsPerSocket);
    this.#firstFrame = firstFrame;
    this.#intercept = intercept;
    ws.on("error", (error) => rules.logger.debug({ reason: error.message }, "socket error"));
    ws.on("message", (data, isBinary) => this.#guarded(data, isBinary));
    ws.once("close", () => {
      this.#pending = undefined;
      this.emit("close");
    });
  }

  get readyState(): number {
    return this.#ws.readyState;
  }

  send(frame: string | Uint8Array): void {
    if (this.#ws.readyState !== WebSocket.OPEN) return;
    if (typeof frame === "string") {
      if (this.#intercept?.(frame)) return;
      this.#subscriptions.sent(frame);
    }
    this.#ws.send(frame);
  }

  close(code?: number, reason?: string): void {
    this.#ws.close(code, reason);
  }

  /** The identity is known: what waited goes on, after `first`. */
  letThrough(first?: Buffer): void {
    const waiting = this.#pending ?? [];
    this.#pending = undefined;
    if (first) this.emit("message", first, false);
    for (const frame of waiting) this.#guardedFrame(frame);
  }

  /** Nobody will take the requests of this socket: each gets this error, and the socket stays, so that nobody retries. */
  refuseAll(words: ErrorWords): void {
    this.#refusal = words;
    this.letThrough();
  }

  #guarded(data: RawData, isBinary: boolean): void {
    if (this.#ws.readyState !== WebSocket.OPEN) return; // `ws` goes on reading after a close has begun
    if (!isBinary && Buffer.isBuffer(data)) {
      this.#guardedFrame(data);
      return;
    }
    this.#answer(null, { code: "PARSE_ERROR", message: "Binary frames are not understood; send JSON text." });
    this.#holdBackIfFull();
  }

  #guardedFrame(frame: Buffer): void {
    try {
      this.#take(frame);
    } catch (error) {
      this.#rules.logger.error({ err: error }, "a frame could not be handled");
      this.#answer(null, { code: "INTERNAL_SERVER_ERROR", message: "The frame could not be handled." });
    }
    this.#holdBackIfFull();
  }

  #take(frame: Buffer): void {
    if (frame.length === 4) {
      const word = frame.toString();
      if (word === "PONG") return;
      if (word === "PING") {
        this.#ws.send("PONG");
        return;
      }
    }
    if (this.#firstFrame) {
      const first = this.#firstFrame;
      this.#firstFrame = undefined;
      first(frame);
    } else if (this.#pending) this.#wait(this.#pending, frame);
    else this.#judge(frame);
  }

  #wait(pending: Buffer[], frame: Buffer): void {
    const { pendingFrames, pendingBytes } = this.#rules.limits;
    this.#pendingBytes += frame.length;
    if (pending.length >= pendingFrames || this.#pendingBytes > pendingBytes) {
      pending.length = 0;
      this.close(CLOSE.policy, "Too many frames before the identity is known");
    } else pending.push(frame);
  }

  #judge(frame: Buffer): void {
    const parsed = parseJson(frame.toString());
    const batch: unknown[] = Array.isArray(parsed) ? parsed : [parsed];
    const good: unknown[] = [];
    let namelessAnswered = false; // messages without an id share one answer: there may be thousands
    for (const raw of batch) {
      const message = readMessage(raw, this.#rules.deserialize);
      const refused = this.#judgeMessage(message);
      if (refused === undefined) good.push(raw);
      else if (message.id !== null || !namelessAnswered) {
        namelessAnswered ||= message.id === null;
        this.#answer(message.id, refused);
      }
    }
    if (good.length === batch.length) this.emit("message", frame, false);
    else if (good.length > 0) this.emit("message", Buffer.from(JSON.stringify(good)), false);
  }

  /** `undefined` when the message may go on. */
  #judgeMessage(message: Message): ErrorWords | undefined {
    if (message.kind === "bad") return message;
    if (message.kind === "stop") {
      this.#subscriptions.stop(message.id);
      return undefined;
    }
    const { id, path } = message;
    if (this.#refusal) return { ...this.#refusal, path };
    if (!message.subscription) return undefined;
    switch (this.#subscriptions.admit(id)) {
      case "admitted":
        return undefined;
      case "duplicate":
        return { code: "BAD_REQUEST", message: `Duplicate id ${id}`, path };
      case "full":
        return { code: "TOO_MANY_REQUESTS", message: this.#tooMany(), path };
    }
  }

  #tooMany(): string {
    const most = this.#rules.limits.subscriptionsPerSocket;
    return `A socket may hold ${most} subscriptions; stop one, or open another socket.`;
  }

  /** Past the count of subscriptions: the answer to a refused request must not end the one that has its id. */
  #answer(id: string | number | null, words: ErrorWords): void {
    if (this.#ws.readyState === WebSocket.OPEN) this.#ws.send(this.#rules.errorFrame(id, words));
  }

  /** Reads nothing more from a client that leaves its answers lying, until it has taken them. */
  #holdBackIfFull(): void {
    if (this.#ws.isPaused || this.#ws.bufferedAmount <= this.#rules.limits.highWaterBytes) return;
    if (!this.#socket.writableNeedDrain) return;
    this.#ws.pause();
    this.#socket.once("drain", () => this.#ws.resume());
  }
}
