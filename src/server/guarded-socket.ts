/**
 * What a client sends, on its way to whoever answers it: tRPC's own handler, or for subscriptions that can be driven, the
 * pump. It bounds what one client can make the process hold: frames that come before the identity is known wait in order
 * and in a small space; each message of a batch is judged by itself; subscriptions are counted; a client that does not
 * read its answers is not read either.
 */
import { type RawData, WebSocket } from "ws";
import type { Logger } from "../log.ts";
import { CLOSE } from "./close-codes.ts";
import type { ErrorFrame, ErrorWords } from "./error-frame.ts";
import type { Limits } from "./limits.ts";
import { type Message, parseJson, type RequestId, readMessage } from "./messages.ts";
import { type DrivenRules, type DrivenSocket, DrivenSubscription } from "./pump/driven-subscription.ts";
import { RequestCount } from "./request-count.ts";
import type { ServedSocket } from "./served-socket.ts";
import { SubscriptionCount } from "./subscription-count.ts";
import { TrpcSocket } from "./trpc-socket.ts";

/** Shared by all sockets of a mount. */
export interface GuardRules {
  readonly limits: Limits;
  readonly logger: Logger;
  readonly errorFrame: ErrorFrame;
  /** The router's input transformer. */
  readonly deserialize: (input: unknown) => unknown;
  /** Whether the subscription on this path can be driven. */
  readonly isDriven: (path: string) => boolean;
  readonly driven: DrivenRules;
  readonly handToTrpc: (socket: TrpcSocket) => void;
}

const NONE: readonly DrivenSubscription[] = [];

export class GuardedSocket implements DrivenSocket {
  readonly pumped: ServedSocket;
  readonly #ws: WebSocket;
  readonly #rules: GuardRules;
  readonly #subscriptions: SubscriptionCount;
  readonly #requests: RequestCount;
  #driven: readonly DrivenSubscription[] = NONE;
  #firstFrame: ((frame: Buffer) => void) | undefined;
  /** What waits for the identity; `undefined` once frames go through. */
  #pending: Buffer[] | undefined = [];
  #pendingBytes = 0;
  #refusal: ErrorWords | undefined;
  #context: object | undefined;
  #trpc: TrpcSocket | undefined;

  /** @param firstFrame - takes the first frame, when the URL promised that it holds the connection parameters. */
  constructor(served: ServedSocket, rules: GuardRules, firstFrame?: (frame: Buffer) => void) {
    this.pumped = served;
    this.#ws = served.ws;
    this.#rules = rules;
    this.#subscriptions = new SubscriptionCount(rules.limits.subscriptionsPerSocket);
    this.#requests = new RequestCount(rules.limits.requestsPerSocket);
    this.#firstFrame = firstFrame;
    this.#ws.on("error", (error) => rules.logger.debug({ reason: error.message }, "socket error"));
    this.#ws.on("message", (data, isBinary) => this.#guarded(data, isBinary));
  }

  send(text: string): void {
    this.pumped.send(text);
  }

  tryElsewhere(): void {
    this.#ws.close(CLOSE.tryAgainLater, "Try another node");
  }

  ended(subscription: DrivenSubscription): void {
    this.#subscriptions.end(subscription.id);
    this.#driven = this.#driven.length > 1 ? this.#driven.filter((one) => one !== subscription) : NONE;
  }

  /** The identity is known: what waited goes on. */
  letThrough(context: object): void {
    this.#context = context;
    this.#goOn();
  }

  /** Nobody will take the requests of this socket: each gets this error, and the socket stays, so that nobody retries. */
  refuseAll(words: ErrorWords): void {
    this.#refusal = words;
    this.#goOn();
  }

  /** A close has begun: nothing more is sent, so nobody is told of the ends. */
  closing(): void {
    for (const subscription of this.#driven) subscription.stop();
  }

  closed(): void {
    this.closing();
    this.#pending = undefined;
    this.#trpc?.emit("close");
  }

  #goOn(): void {
    const waiting = this.#pending ?? [];
    this.#pending = undefined;
    for (const frame of waiting) this.#guardedFrame(frame);
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
      this.#ws.close(CLOSE.policy, "Too many frames before the identity is known");
    } else pending.push(frame);
  }

  #judge(frame: Buffer): void {
    const parsed = parseJson(frame.toString());
    const batch: unknown[] = Array.isArray(parsed) ? parsed : [parsed];
    const forTrpc: unknown[] = [];
    let namelessAnswered = false; // messages without an id share one answer: there may be thousands
    for (const [index, raw] of batch.entries()) {
      const message = readMessage(raw, this.#rules.deserialize);
      const refused = this.#judgeMessage(message);
      if (refused === undefined) {
        if (!this.#takeDriven(message, index)) forTrpc.push(raw);
      } else if (message.id !== null || !namelessAnswered) {
        namelessAnswered ||= message.id === null;
        this.#answer(message.id, refused);
      }
    }
    if (forTrpc.length === 0) return;
    const rest = forTrpc.length === batch.length ? frame : Buffer.from(JSON.stringify(forTrpc));
    this.#trpcSocket()?.emit("message", rest, false);
  }

  /** @returns whether it was for a subscription that is driven. */
  #takeDriven(message: Message, batchIndex: number): boolean {
    if (message.kind === "stop") {
      const one = this.#driven.find(({ id }) => id === message.id);
      one?.stop();
      return one !== undefined;
    }
    const context = this.#context;
    if (message.kind === "bad" || !context || !message.subscription || !this.#rules.isDriven(message.path))
      return false;
    const request = { ...message, batchIndex };
    const subscription = new DrivenSubscription(this.#rules.driven, this, request);
    this.#driven = [...this.#driven, subscription];
    subscription.run(context, request).catch((error: unknown) => {
      this.#rules.logger.error({ err: error }, "a subscription could not be run");
    });
    return true;
  }

  #trpcSocket(): TrpcSocket | undefined {
    if (this.#trpc || !this.#context) return this.#trpc;
    const counts = { subscriptions: this.#subscriptions, requests: this.#requests };
    this.#trpc = new TrpcSocket(this.pumped, counts, this.#context);
    this.#rules.handToTrpc(this.#trpc);
    return this.#trpc;
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
    // A frame says only which id it answers: one id for a subscription and a request would end both in the counts.
    if ((message.subscription ? this.#requests : this.#subscriptions).has(id)) return duplicate(id, path);
    if (!message.subscription)
      return this.#requests.admit(id)
        ? undefined
        : { code: "TOO_MANY_REQUESTS", message: this.#tooManyAsked(), path };
    switch (this.#subscriptions.admit(id)) {
      case "admitted":
        return undefined;
      case "duplicate":
        return duplicate(id, path);
      case "full":
        return { code: "TOO_MANY_REQUESTS", message: this.#tooMany(), path };
    }
  }

  #tooMany(): string {
    const most = this.#rules.limits.subscriptionsPerSocket;
    return `A socket may hold ${most} subscriptions; stop one, or open another socket.`;
  }

  #tooManyAsked(): string {
    const most = this.#rules.limits.requestsPerSocket;
    return `A socket may wait for ${most} answers at a time; wait for one, or open another socket.`;
  }

  /** Past the count of subscriptions: the answer to a refused request must not end the one that has its id. */
  #answer(id: string | number | null, words: ErrorWords): void {
    if (this.#ws.readyState === WebSocket.OPEN) this.#ws.send(this.#rules.errorFrame(id, words));
  }

  /** Reads nothing more from a client that leaves its answers lying, until it has taken them. */
  #holdBackIfFull(): void {
    if (this.#ws.isPaused || this.#ws.bufferedAmount <= this.#rules.limits.highWaterBytes) return;
    const { socket } = this.pumped;
    if (!socket.writableNeedDrain) return;
    this.#ws.pause();
    socket.once("drain", () => this.#ws.resume());
  }
}

function duplicate(id: RequestId, path: string): ErrorWords {
  return { code: "BAD_REQUEST", message: `Duplicate id ${id}`, path };
}
