/**
 * `/api/ws?token=`: subscriptions by scope on one socket. All that a client listens to is one subscription of the hub, so
 * an event that matches twice comes once; when the set changes, it goes on from where it stands.
 */

import type { AuthorisedTarget } from "../../events/targets.ts";
import { iterate } from "../../feed/iterate.ts";
import { type EventFrame, type EventScope, isHubEvent } from "../../protocol/envelope.ts";
import type { TrackedFrame } from "../../protocol/frames.ts";
import { formatPosition, type Position, parsePosition } from "../../protocol/position.ts";
import type { Identity } from "../../router/identity.ts";
import type { RightsSweep } from "../../router/rights.ts";
import type { Snapwire } from "../../snapwire.ts";
import { CLOSE } from "../close-codes.ts";
import { serverMessage } from "./api-frames.ts";
import type { PlainSocketEndpoint } from "./endpoint.ts";
import { type PlainTarget, targetsFor, tooMany } from "./event-targets.ts";
import { type ClientMessage, clientMessageSchema, jsonOf, type ServerMessage } from "./messages.ts";
import type { PlainSocket } from "./plain-socket.ts";

export interface ApiEndpointOptions {
  /** What a subscribe without a selector is answered. */
  readonly invalidSubscribe?: string;
}

const INVALID_SUBSCRIBE = "Invalid subscribe: must provide scope, workspace_id, or session_id";
const MAX_SUBSCRIPTIONS = 64;
const PING: ServerMessage = { type: "ping" };

export function apiEndpoint<Entry>(
  live: Snapwire<Entry>,
  rights: RightsSweep,
  { invalidSubscribe = INVALID_SUBSCRIBE }: ApiEndpointOptions = {},
): PlainSocketEndpoint {
  return {
    path: "/api/ws",
    maxPayloadBytes: 64 * 1024,
    heartbeat: { pingEveryMs: 30_000, pongWithinMs: 10_000, text: JSON.stringify(PING) },
    refusedWith: { code: CLOSE.unauthorized, reason: "Unauthorized" },
    refuse: () =>
      live.serving() ? undefined : { status: 503, message: "The service is not running; try again later." },
    serve: (socket) => {
      const client = new ApiClient(live as unknown as Snapwire<never>, socket, invalidSubscribe);
      const unwatch = rights.watch({
        allowed: async () => {
          const identity = await socket.recheck();
          return identity !== null && client.narrow(identity);
        },
        revoke: () => socket.close(CLOSE.unauthorized, "Unauthorized"),
      });
      socket.signal.addEventListener("abort", unwatch, { once: true });
      socket.onMessage((text) => client.take(text));
    },
  };
}

interface Held {
  readonly target: PlainTarget;
  /** What came until then was not for it. */
  readonly since: Position;
}

class ApiClient {
  readonly #live: Snapwire<never>;
  readonly #socket: PlainSocket;
  readonly #invalidSubscribe: string;
  #identity: Identity;
  /** By the name of the subscription: `all`, `workspace:<id>`, `session:<id>`. */
  readonly #held = new Map<string, Held>();
  /** Where it stands: the last event that it was sent, or the head when it began to listen. */
  #cursor = "";
  #watching: AbortController | undefined;
  /** The name of the union that is watched. */
  #joined = "";
  /** Some of the union may have been subscribed to later than the cursor stands. */
  #mayPrecede = false;
  #isChanging = false;

  constructor(live: Snapwire<never>, socket: PlainSocket, invalidSubscribe: string) {
    this.#live = live;
    this.#socket = socket;
    this.#invalidSubscribe = invalidSubscribe;
    this.#identity = socket.identity;
    socket.signal.addEventListener("abort", () => this.#watching?.abort(), { once: true });
  }

  take(text: string | undefined): void {
    const answer = this.#answerTo(jsonOf(text));
    if (answer) this.#socket.send(answer);
  }

  #answerTo(json: { readonly value: unknown } | undefined): ServerMessage | undefined {
    if (!json) return error("Invalid JSON");
    const { value } = json;
    const type: unknown = isObject(value) ? value.type : undefined;
    if (typeof type !== "string") return error("Missing message type");
    if (type !== "subscribe" && type !== "unsubscribe" && type !== "pong")
      return error(`Unknown message type: ${type.slice(0, 100)}`);
    const parsed = clientMessageSchema.safeParse(value);
    if (!parsed.success) return error(this.#invalidSubscribe);
    const message = parsed.data;
    switch (message.type) {
      case "subscribe":
        return this.#subscribe(message);
      case "unsubscribe":
        return this.#unsubscribe(message);
      case "pong":
        return undefined; // that something came is the sign of life
    }
  }

  /** The rights may have shrunk. @returns whether all that is listened to may still be */
  narrow(identity: Identity): boolean {
    this.#identity = identity;
    if ([...this.#held.values()].some(({ target }) => !targetsFor(this.#live, identity, target)))
      return false;
    // What is meant by them may be less now, or stand in another project.
    if (this.#nameOf(this.#union()) !== this.#joined) this.#change();
    return true;
  }

  #subscribe(said: Subscribe): ServerMessage {
    const target = targetOf(said);
    if (!target) return error(this.#invalidSubscribe);
    const subscription = nameOf(target);
    const targets = targetsFor(this.#live, this.#identity, target);
    if (!targets) return error(`Not allowed: this identity may not subscribe to ${subscription}`);
    if (!this.#held.has(subscription)) {
      if (this.#held.size >= MAX_SUBSCRIPTIONS || tooMany([...this.#union(), ...targets]))
        return error(`Too many subscriptions: ${MAX_SUBSCRIPTIONS} at most, each project of "all" is one`);
      const { log } = this.#live.events;
      const since = { tag: log.tagOf(), sequence: log.head };
      if (this.#held.size === 0) this.#cursor = formatPosition(since.tag, since.sequence);
      this.#held.set(subscription, { target, since });
      this.#mayPrecede = true;
    }
    this.#change();
    return { type: "subscribed", subscription };
  }

  #unsubscribe(said: Unsubscribe): ServerMessage {
    const { workspace_id, session_id } = said;
    const target = targetOf({ workspace_id, session_id });
    if (target) this.#held.delete(nameOf(target));
    else this.#held.clear();
    this.#watching?.abort(); // nothing of it from here on
    this.#change();
    return { type: "unsubscribed", subscription: target ? nameOf(target) : "all" };
  }

  /** However many messages of one turn change the set, it is joined once. */
  #change(): void {
    if (this.#isChanging) return;
    this.#isChanging = true;
    queueMicrotask(() => {
      this.#isChanging = false;
      this.#watching?.abort();
      this.#watching = undefined;
      const targets = this.#union();
      this.#joined = this.#nameOf(targets);
      if (tooMany(targets)) this.#socket.close(CLOSE.tryAgainLater, "Too many projects at once");
      else if (targets.length > 0 && this.#socket.isOpen) this.#watch();
    });
  }

  /** All that is held, as far as the identity may read it. */
  #union(): readonly AuthorisedTarget[] {
    return [...this.#held.values()].flatMap(
      ({ target }) => targetsFor(this.#live, this.#identity, target) ?? [],
    );
  }

  #nameOf(targets: readonly AuthorisedTarget[]): string {
    return targets.length === 0 || tooMany(targets) ? "" : this.#live.events.scopeOfAuthorised(targets);
  }

  #watch(): void {
    const watching = new AbortController();
    this.#watching = watching;
    this.#send(this.#joined, watching.signal).catch((error: unknown) => {
      if (watching.signal.aborted) return;
      this.#socket.logger.error({ err: error }, "a plain subscription failed");
      this.#socket.close(CLOSE.tryAgainLater, "Try again later");
    });
  }

  async #send(scope: string, signal: AbortSignal): Promise<void> {
    const { feed } = this.#live.events;
    const { room } = this.#socket;
    const subscription = feed.join(scope);
    const begin = (): Promise<void> => feed.begin(subscription, this.#cursor);
    for await (const frame of iterate(subscription, { begin, signal, room })) {
      if (signal.aborted) return;
      this.#cursor = frame.id;
      const message = this.#mayPrecede && this.#precedes(frame) ? undefined : serverMessage(frame);
      if (message) this.#socket.sendShared(message);
    }
    if (!signal.aborted) this.#socket.close(CLOSE.tryAgainLater, "Try again later"); // the service stops
  }

  /** The union goes on from one cursor: what is behind it may be older than all that it is of interest to. */
  #precedes({ id, data }: TrackedFrame<EventFrame>): boolean {
    const at = parsePosition(id);
    if (!isHubEvent(data) || !at) return false;
    const held = [...this.#held.values()];
    const isOld = ({ since }: Held): boolean => since.tag === at.tag && at.sequence <= since.sequence;
    this.#mayPrecede = held.some(isOld);
    return !held.some((one) => !isOld(one) && isAbout(one.target, data));
  }
}

type Subscribe = Extract<ClientMessage, { type: "subscribe" }>;
type Unsubscribe = Extract<ClientMessage, { type: "unsubscribe" }>;

const error = (message: string): ServerMessage => ({ type: "error", message });

/** Of several selectors the first counts. */
function targetOf({
  scope,
  workspace_id,
  session_id,
}: Pick<Subscribe, "workspace_id" | "session_id"> & { readonly scope?: "all" | null | undefined }):
  | PlainTarget
  | undefined {
  if (scope) return { scope };
  if (workspace_id) return { workspaceId: workspace_id };
  return session_id ? { sessionId: session_id } : undefined;
}

function isAbout(target: PlainTarget, { workspaceId, sessionId }: EventScope): boolean {
  if ("workspaceId" in target) return target.workspaceId === workspaceId;
  return "sessionId" in target ? target.sessionId === sessionId : true;
}

function nameOf(target: PlainTarget): string {
  if ("workspaceId" in target) return `workspace:${target.workspaceId}`;
  return "sessionId" in target ? `session:${target.sessionId}` : "all";
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
