/** `/agent/ws`: a device registers, is sent one transcription after the other, and acknowledges each. */
import type { Inbox } from "../../agents/inbox.ts";
import { SnapwireError } from "../../protocol/errors.ts";
import { mayAct } from "../../router/identity.ts";
import type { RightsSweep } from "../../router/rights.ts";
import type { Snapwire } from "../../snapwire.ts";
import { CLOSE } from "../close-codes.ts";
import type { PlainSocketEndpoint } from "./endpoint.ts";
import {
  agentMessageSchema,
  jsonOf,
  type Segment,
  segmentSchema,
  type TranscriptionMessage,
} from "./messages.ts";
import type { PlainSocket } from "./plain-socket.ts";

export interface AgentEndpointOptions {
  /** How long a socket may be open without a device, in milliseconds. @defaultValue 10_000 */
  readonly registerWithinMs?: number;
}

const REGISTER_WITHIN_MS = 10_000;
const SHAPES = '{"type":"register","deviceId":"..."} or {"type":"ack","id":"..."}';

export function agentEndpoint<Entry>(
  live: Pick<Snapwire<Entry>, "agents" | "serving">,
  rights: RightsSweep,
  { registerWithinMs = REGISTER_WITHIN_MS }: AgentEndpointOptions = {},
): PlainSocketEndpoint {
  return {
    path: "/agent/ws",
    maxPayloadBytes: 1_048_576,
    heartbeat: { pingEveryMs: 30_000, pongWithinMs: 10_000, misses: 2 },
    refuse(_query, identity) {
      if (identity && !mayAct(identity, "receive"))
        return { status: 403, message: "This identity is no device's." };
      if (!live.serving()) return { status: 503, message: "The service is not running; try again later." };
      return undefined;
    },
    serve: (socket) => void new Device(live, rights, socket, registerWithinMs),
  };
}

class Device {
  readonly #live: Pick<Snapwire<unknown>, "agents">;
  readonly #socket: PlainSocket;
  readonly #deadline: NodeJS.Timeout;
  /** As it was given, normalised. */
  #deviceId: string | undefined;
  #inbox: Inbox | undefined;

  constructor(
    live: Pick<Snapwire<unknown>, "agents">,
    rights: RightsSweep,
    socket: PlainSocket,
    registerWithinMs: number,
  ) {
    this.#live = live;
    this.#socket = socket;
    this.#deadline = setTimeout(
      () => socket.close(CLOSE.paramsTimeout, "No device was registered"),
      registerWithinMs,
    ).unref();
    const unwatch = rights.watch({ allowed: () => this.#isAllowed(), revoke: () => this.#revoke() });
    socket.signal.addEventListener(
      "abort",
      () => {
        clearTimeout(this.#deadline);
        unwatch();
      },
      { once: true },
    );
    socket.onMessage((text) => this.#take(text));
  }

  #take(text: string | undefined): void {
    const refused = this.#refusalOf(jsonOf(text)?.value);
    if (refused !== undefined) this.#say({ type: "error", message: refused });
  }

  /** Does what a message says; answers why not. */
  #refusalOf(value: unknown): string | undefined {
    const parsed = agentMessageSchema.safeParse(value);
    if (!parsed.success) return `Not understood; say ${SHAPES}`;
    const message = parsed.data;
    if (message.type === "ack") return this.#ack(message.id);
    if (this.#deviceId !== undefined) return "This socket is registered already";
    this.#deviceId = message.deviceId.trim().toLowerCase();
    this.#register(this.#deviceId).catch((error: unknown) => {
      this.#socket.logger.error({ err: error }, "a device could not be served");
      this.#socket.close(CLOSE.registration, "REGISTRATION_FAILED");
    });
    return undefined;
  }

  #ack(id: string): string | undefined {
    if (!this.#inbox) return "Register first";
    // Of a message that is forgotten there is nothing to say; what could not be stored is sent again.
    this.#inbox.ack({ id }).catch((error: unknown) => {
      const reason = error instanceof SnapwireError ? error.reason : "unknown";
      this.#socket.logger.info({ id, reason }, "an ack did not count");
    });
    return undefined;
  }

  async #isAllowed(): Promise<boolean> {
    const identity = await this.#socket.recheck();
    const deviceId = this.#deviceId;
    return identity !== null && mayAct(identity, "receive", deviceId === undefined ? {} : { deviceId });
  }

  #revoke(): void {
    if (this.#inbox) void this.#inbox.revoke();
    else this.#socket.close(CLOSE.unauthorized, "Unauthorized");
  }

  async #register(deviceId: string): Promise<void> {
    const socket = this.#socket;
    if (!mayAct(socket.identity, "receive", { deviceId }))
      return socket.close(CLOSE.registration, "REGISTRATION_FAILED");
    let inbox: Inbox;
    try {
      inbox = await this.#live.agents.connect({
        deviceId,
        policy: "reject",
        subject: socket.identity.subject,
        signal: socket.signal,
      });
    } catch (error) {
      const isDuplicate = error instanceof SnapwireError && error.reason === "duplicate-connection";
      return socket.close(CLOSE.registration, isDuplicate ? "DUPLICATE_CONNECTION" : "REGISTRATION_FAILED");
    }
    clearTimeout(this.#deadline);
    this.#inbox = inbox;
    try {
      for await (const { data } of inbox.frames({ room: socket.room })) {
        if (data.type === "message") this.#say(transcriptionOf(data));
        else if (data.type === "inbox_ended") return socket.close(CLOSE.unauthorized, "Unauthorized");
      }
      return socket.close(CLOSE.goingAway, "Server shutting down");
    } catch (error) {
      if (!(error instanceof SnapwireError)) throw error;
      const isDuplicate = error.reason === "duplicate-connection";
      return isDuplicate
        ? socket.close(CLOSE.registration, "DUPLICATE_CONNECTION")
        : socket.close(CLOSE.tryAgainLater, "Try again later");
    } finally {
      await inbox.close();
    }
  }

  #say(message: TranscriptionMessage): void {
    this.#socket.send(message);
  }
}

function transcriptionOf(message: {
  readonly id: string;
  readonly payload: unknown;
  readonly text?: string;
  readonly timestamp: string;
}): TranscriptionMessage {
  const { id, payload, text } = message;
  const segments = segmentSchema.array().safeParse(payload);
  const words = text ?? (segments.success ? textOf(segments.data) : JSON.stringify(payload));
  return {
    type: "transcription",
    id,
    ...(words === undefined ? {} : { text: words }),
    ...(segments.success ? { payload: segments.data } : {}),
    timestamp: Date.parse(message.timestamp),
  };
}

/** For clients that know no segments. */
function textOf(segments: readonly Segment[]): string {
  return segments.map((segment) => (segment.type === "text" ? segment.value : "")).join("");
}
