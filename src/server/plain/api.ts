/**
 * `/api/ws?token=`: subscriptions by scope on one socket. All that a client listens to is one subscription of the hub, so
 * an event that matches twice comes once; when the set changes, it goes on from where it stands.
 */

import type { AuthorisedTarget } from "../../events/targets.ts";
import { iterate } from "../../feed/iterate.ts";
import { formatPosition } from "../../protocol/position.ts";
import type { Identity } from "../../router/identity.ts";
import type { RightsSweep } from "../../router/rights.ts";
import type { Snapwire } from "../../snapwire.ts";
import { CLOSE } from "../close-codes.ts";
import { serverMessage } from "./api-frames.ts";
import type { PlainSocketEndpoint } from "./endpoint.ts";
import { type PlainTarget, targetsFor } from "./event-targets.ts";
import { type ClientMessage, clientMessageSchema, jsonOf, type ServerMessage } from "./messages.ts";
import type { PlainSocket } from "./plain-socket.ts";

export interface ApiEndpointOptions {
  /** What a subscribe without a selector is answered. */
  readonly invalidSubscribe?: string;
}

export const INVALID_SUBSCRIBE = "Invalid subscribe: must provide scope, workspace_id, or session_id";
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

class ApiClient {
  readonly #live: Snapwire<never>;
  readonly #socket: PlainSocket;
  readonly #invalidSubscribe: string;
  #identity: Identity;
  /** By the name of the subscription: `all`, `workspace:<id>`, `session:<id>`. */
  readonly #targets = new Map<string, PlainTarget>();
  /** Where it stands: the last event that it was sent, or the head when it began to listen. */
  #cursor = "";
  #watching: AbortController | undefined;
  #isChanging = false;

  constructor(live: Snapwire<never>, socket: PlainSocket, invalidSubscribe: string) {
    this.#live = live;
    this.#socket = socket;
    this.#invalidSubscribe = invalidSubscribe;
    this.#identity = socket.identity;
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
    return [...this.#targets.values()].every((target) => targetsFor(this.#live, identity, target));
  }

  #subscribe(said: Subscribe): ServerMessage {
    const target = targetOf(said);
    if (!target) return error(this.#invalidSubscribe);
    const subscription = nameOf(target);
    if (!targetsFor(this.#live, this.#identity, target))
      return error(`Not allowed: this identity may not subscribe to ${subscription}`);
    if (!this.#targets.has(subscription) && this.#targets.size >= MAX_SUBSCRIPTIONS)
      return error(`Too many subscriptions: ${MAX_SUBSCRIPTIONS} at most`);
    if (this.#targets.size === 0) {
      const { log } = this.#live.events;
      this.#cursor = formatPosition(log.tagOf(), log.head);
    }
    this.#targets.set(subscription, target);
    this.#change();
    return { type: "subscribed", subscription };
  }

  #unsubscribe(said: Unsubscribe): ServerMessage {
    const { workspace_id, session_id } = said;
    const target = targetOf({ workspace_id, session_id });
    if (target) this.#targets.delete(nameOf(target));
    else this.#targets.clear();
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
      const targets = [...this.#targets.values()].flatMap(
        (target) => targetsFor(this.#live, this.#identity, target) ?? [],
      );
      if (targets.length > 0 && this.#socket.isOpen) this.#watch(targets);
    });
  }

  #watch(targets: readonly AuthorisedTarget[]): void {
    const watching = new AbortController();
    this.#watching = watching;
    this.#send(targets, watching.signal).catch((error: unknown) => {
      if (watching.signal.aborted) return;
      this.#socket.logger.error({ err: error }, "a plain subscription failed");
      this.#socket.close(CLOSE.tryAgainLater, "Try again later");
    });
  }

  async #send(targets: readonly AuthorisedTarget[], replaced: AbortSignal): Promise<void> {
    const { feed } = this.#live.events;
    const { room } = this.#socket;
    const subscription = feed.join(this.#live.events.scopeOfAuthorised(targets));
    const signal = AbortSignal.any([this.#socket.signal, replaced]);
    const begin = (): Promise<void> => feed.begin(subscription, this.#cursor);
    for await (const frame of iterate(subscription, { begin, signal, room })) {
      if (signal.aborted) return;
      this.#cursor = frame.id;
      const message = serverMessage(frame);
      if (message) this.#socket.sendShared(message);
    }
    if (!signal.aborted) this.#socket.close(CLOSE.tryAgainLater, "Try again later"); // the service stops
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
}: Pick<Subscribe, "workspace_id" | "session_id"> & { readonly scope?: "all" | undefined }):
  | PlainTarget
  | undefined {
  if (scope !== undefined) return { scope };
  if (workspace_id !== undefined) return { workspaceId: workspace_id };
  return session_id === undefined ? undefined : { sessionId: session_id };
}

function nameOf(target: PlainTarget): string {
  if ("workspaceId" in target) return `workspace:${target.workspaceId}`;
  return "sessionId" in target ? `session:${target.sessionId}` : "all";
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
