/**
 * One subscription that is pumped: run through tRPC for middlewares, input and errors, then served beside its loop.
 *
 * It does for a subscription what tRPC's WebSocket adapter does, as that is seen from outside: `started`, then results,
 * then `stopped`; an error in place of `started` when it cannot begin, an error and `stopped` when it fails later. It
 * stands on what `@trpc/server` exports (`callTRPCProcedure`, `getErrorShape`, `transformTRPCResponse`,
 * `isTrackedEnvelope`) and on the wire format of subscriptions, `{"id":<id>,...,"result":{"type":"data",...}}`. Should
 * that change, the test that holds the pump and the stock adapter equal, byte by byte, fails on the new version of tRPC.
 */
import {
  type AnyRouter,
  callTRPCProcedure,
  getErrorShape,
  getTRPCErrorFromUnknown,
  isTrackedEnvelope,
  TRPCError,
  transformTRPCResponse,
} from "@trpc/server";
import { SnapwireError } from "../../protocol/errors.ts";
import { type OpenFeed, openerOf } from "../../router/driven.ts";
import { toTRPCError } from "../../router/errors.ts";
import type { RequestId } from "../messages.ts";
import type { OnProcedureError } from "../procedure-errors.ts";
import type { PumpedSocket } from "./pump.ts";
import type { Pumps } from "./pumps.ts";

/** A `subscription` message, judged and admitted. */
export interface SubscriptionRequest {
  readonly id: RequestId;
  readonly jsonrpc: "2.0" | undefined;
  readonly path: string;
  readonly input: unknown;
  readonly lastEventId: string | undefined;
  readonly batchIndex: number;
}

/** Shared by all of a mount. */
export interface DrivenRules {
  readonly router: AnyRouter;
  readonly pumps: Pumps;
  readonly onProcedureError: OnProcedureError;
}

/** The socket that it belongs to. */
export interface DrivenSocket {
  readonly pumped: PumpedSocket & { subscriptions: number };
  /** Nothing is sent once a close has begun. */
  send(text: string): void;
  /** Closes it so that the client tries another node. */
  tryElsewhere(): void;
  /** The id is free again. */
  ended(subscription: DrivenSubscription): void;
}

/** What tRPC's wire says of a subscription that has begun. */
type Result =
  | { readonly type: "started" | "stopped" }
  | { readonly type: "data"; data: unknown; id?: string };

export class DrivenSubscription {
  readonly id: RequestId;
  readonly #jsonrpc: "2.0" | undefined;
  readonly #rules: DrivenRules;
  readonly #socket: DrivenSocket;
  /** Middlewares may have kept its signal: it is aborted when the client leaves. */
  readonly #abort = new AbortController();
  #open: OpenFeed | undefined;

  constructor(rules: DrivenRules, socket: DrivenSocket, { id, jsonrpc }: SubscriptionRequest) {
    this.id = id;
    this.#jsonrpc = jsonrpc;
    this.#rules = rules;
    this.#socket = socket;
  }

  /** The client stopped it, or is gone. */
  stop(): void {
    if (this.#abort.signal.aborted) return;
    this.#abort.abort();
    this.#open?.close();
  }

  /** @param ctx - of the router. Resolves when it is pumped, or over. Never rejects. */
  async run(ctx: object, request: SubscriptionRequest): Promise<void> {
    const input = inputOf(request);
    const { path } = request;
    const refuse = (cause: unknown): void => this.#refuse(cause, path, input, ctx);
    let iterable: object;
    try {
      iterable = await this.#call(ctx, input, request);
    } catch (cause) {
      if (this.#isGone && isAbort(cause)) this.#over();
      else {
        refuse(cause);
        this.#release();
      }
      return;
    }
    if (!this.#isGone) {
      this.#respond({ type: "started" });
      try {
        const isPumped = await this.#serve(iterable);
        if (isPumped) return;
      } catch (cause) {
        if (cause instanceof SnapwireError && cause.reason === "behind") {
          // An error would end a stock subscription for good; a lost connection makes the client try another node.
          this.#socket.tryElsewhere();
        } else if (!this.#isGone) refuse(toTRPCError(cause));
      }
    }
    this.#over();
  }

  /** The pump has let go of it: it was closed, or its last frame was written. */
  ended(): void {
    this.#socket.pumped.subscriptions -= 1;
    this.#over();
  }

  get #isGone(): boolean {
    return this.#abort.signal.aborted;
  }

  async #call(ctx: object, input: unknown, { path, batchIndex }: SubscriptionRequest): Promise<object> {
    const answer: unknown = await callTRPCProcedure({
      router: this.#rules.router,
      path,
      getRawInput: () => Promise.resolve(input),
      ctx,
      type: "subscription",
      signal: this.#abort.signal,
      batchIndex,
    });
    if (typeof answer === "object" && answer !== null && Symbol.asyncIterator in answer) return answer;
    throw new TRPCError({
      code: "INTERNAL_SERVER_ERROR",
      message: `Subscription ${path} did not return an observable or a AsyncGenerator`,
    });
  }

  /** @returns whether the pump has it; else it is over. */
  async #serve(iterable: object): Promise<boolean> {
    const open = openerOf(iterable);
    if (!open) {
      await this.#iterate(iterable as AsyncIterable<unknown>);
      return false;
    }
    const feed = await open();
    this.#open = feed;
    if (!this.#isGone) await feed.begin();
    if (this.#isGone || feed.subscription.closed) return false;
    this.#socket.pumped.subscriptions += 1;
    const { pumps } = this.#rules;
    const pump = pumps.of(feed.feed, feed.subscription.scope);
    pump.add(feed.subscription, this.#socket.pumped, pumps.prefixOf(this.id, this.#jsonrpc), this);
    return true;
  }

  /** A middleware put something of its own in the place of what can be opened. */
  async #iterate(iterable: AsyncIterable<unknown>): Promise<void> {
    for await (const value of iterable) {
      if (this.#isGone) return;
      if (isTrackedEnvelope(value)) {
        const [id, data] = value;
        this.#respond({ type: "data", data: { id, data }, id });
      } else this.#respond({ type: "data", data: value });
    }
  }

  #over(): void {
    this.#open?.close();
    this.#respond({ type: "stopped" });
    this.#release();
  }

  #release(): void {
    this.#socket.ended(this);
  }

  #respond(result: Result): void {
    const { id } = this;
    const message = transformTRPCResponse(this.#rules.router._def._config, {
      id,
      jsonrpc: this.#jsonrpc,
      result,
    } as never);
    this.#socket.send(JSON.stringify(message));
  }

  #refuse(cause: unknown, path: string, input: unknown, ctx: object): void {
    const { router, onProcedureError } = this.#rules;
    const config = router._def._config;
    const error = getTRPCErrorFromUnknown(cause);
    const type = "subscription";
    onProcedureError({ error, path, type });
    try {
      const shape = getErrorShape({ config, error, type, path, input, ctx });
      const message = transformTRPCResponse(config, {
        id: this.id,
        jsonrpc: this.#jsonrpc,
        error: shape,
      } as never);
      this.#socket.send(JSON.stringify(message));
    } catch {
      // The host's formatter or transformer threw: the client is still owed an answer.
      const data = { code: "INTERNAL_SERVER_ERROR", httpStatus: 500 };
      const shape = { code: -32603, message: "Internal server error", data };
      this.#socket.send(JSON.stringify({ id: this.id, error: shape }));
    }
  }
}

/** The resume point goes where tRPC puts it: into an input that is an object, or that is not there. */
function inputOf({ input, lastEventId }: SubscriptionRequest): unknown {
  if (lastEventId === undefined) return input;
  if (typeof input === "object" && input !== null && !Array.isArray(input)) return { ...input, lastEventId };
  return input ?? { lastEventId };
}

/** A procedure that gave up since its client left. */
function isAbort(cause: unknown): boolean {
  const { code, cause: inner } = getTRPCErrorFromUnknown(cause);
  return code === "INTERNAL_SERVER_ERROR" && inner?.name === "AbortError";
}
