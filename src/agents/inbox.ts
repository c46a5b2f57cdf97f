/**
 * One inbox: the lease of a device, and the messages that are handed to it one after the other. It keeps no list: what is
 * next stands at the head of the lane. A message is committed as sent before it is handed over, so that a crash between
 * the two costs an attempt number and never a message.
 */
import type { CollectionRecord } from "../collection/record.ts";
import type { SendRoom } from "../feed/iterate.ts";
import type { Logger } from "../log.ts";
import type { AckOutcome, AckResult, InboxFrame } from "../protocol/agents.ts";
import { SnapwireError } from "../protocol/errors.ts";
import type { TrackedFrame } from "../protocol/frames.ts";
import { isSent, type MessageState } from "./message.ts";
import { duplicate } from "./presence.ts";

/** Why an inbox is over. */
export type InboxEnd = "closed" | "stopped" | "revoked" | "superseded" | "replaced";

interface Head {
  readonly messageId: string;
  readonly record: CollectionRecord<MessageState>;
}

/** What an inbox asks of the room. */
export interface InboxHost {
  readonly logger: Logger;
  /** The oldest message of the device that is not settled; undefined also while nothing can be known. */
  headOf(deviceId: string): Head | undefined;
  /** Commits that the message is sent under this lease, if it may be. @returns whether it is */
  send(messageId: string, lease: number): Promise<boolean>;
  positionOf(kind: "registered" | "ended", lease: number): string;
  positionOfMessage(deviceId: string, sequence: number): string;
  ack(ack: {
    readonly deviceId: string;
    readonly id: string;
    readonly lease: number;
    readonly outcome?: AckOutcome | undefined;
    readonly error?: string | undefined;
  }): Promise<AckResult>;
  /** The inbox is over: the lease is given back if it still holds it. */
  left(inbox: Inbox): Promise<void>;
}

export interface InboxOptions {
  readonly deviceId: string;
  /** Names the inbox among all that ever were. */
  readonly holder: string;
  readonly lease: number;
  readonly queued: number;
  readonly signal: AbortSignal | undefined;
}

/** After a commit that failed, in milliseconds. */
const TRY_AGAIN_MS = 1_000;

export class Inbox {
  readonly deviceId: string;
  readonly holder: string;
  /** The fencing token. */
  readonly lease: number;
  /** How many messages waited when it was opened. */
  readonly queued: number;
  readonly #host: InboxHost;
  readonly #signal: AbortSignal | undefined;
  readonly #onAbort = (): void => void this.close();
  #end: InboxEnd | undefined;
  #leaving: Promise<void> | undefined;
  #awake = false;
  #sleeper: (() => void) | undefined;
  /** The message and attempt that was handed over last. */
  #handed = "";

  constructor({ deviceId, holder, lease, queued, signal }: InboxOptions, host: InboxHost) {
    this.deviceId = deviceId;
    this.holder = holder;
    this.lease = lease;
    this.queued = queued;
    this.#host = host;
    this.#signal = signal;
    signal?.addEventListener("abort", this.#onAbort, { once: true });
  }

  /** Why it is over; undefined while it is not. */
  get ended(): InboxEnd | undefined {
    return this.#end;
  }

  /** Says that there may be something to do. */
  wake(): void {
    this.#awake = true;
    const sleeper = this.#sleeper;
    this.#sleeper = undefined;
    sleeper?.();
  }

  end(why: InboxEnd): Promise<void> {
    this.#end ??= why;
    this.#signal?.removeEventListener("abort", this.#onAbort);
    this.wake();
    this.#leaving ??= this.#host.left(this);
    return this.#leaving;
  }

  /** Leaves. Idempotent; resolves when the device is known to be offline, or is somebody else's. */
  close(): Promise<void> {
    return this.end("closed");
  }

  /** The rights are gone: the last frame says so. */
  revoke(): Promise<void> {
    return this.end("revoked");
  }

  ack(ack: {
    readonly id: string;
    readonly outcome?: AckOutcome | undefined;
    readonly error?: string | undefined;
  }): Promise<AckResult> {
    return this.#host.ack({ ...ack, deviceId: this.deviceId, lease: this.lease });
  }

  /**
   * The frames, each with its position, one at a time. Leaving the loop closes the inbox.
   * @throws SnapwireError `duplicate-connection`: a newer inbox took over. `behind`: the order was replaced.
   */
  async *frames({
    room,
  }: {
    readonly room?: SendRoom | undefined;
  } = {}): AsyncGenerator<TrackedFrame<InboxFrame>, void, void> {
    let holdsRoom = false;
    let registered = false;
    try {
      while (!this.#end) {
        const next: "asleep" | TrackedFrame<InboxFrame> | { readonly send: string } = registered
          ? this.#next()
          : this.#registered();
        if (next === "asleep") {
          await this.#sleep();
          continue;
        }
        const noRoom = room?.claim();
        if (noRoom) {
          await this.#roomOrEnd(noRoom);
          continue;
        }
        if ("send" in next) {
          room?.release(); // others may use it while the commit is on its way
          await this.#dispatch(next.send);
          continue;
        }
        holdsRoom = room !== undefined;
        registered = true;
        if (next.data.type === "message") this.#handed = attemptOf(next.data);
        yield next;
        if (holdsRoom) room?.release();
        holdsRoom = false;
      }
      if (this.#end === "superseded") throw duplicate(this.deviceId);
      if (this.#end === "replaced")
        throw new SnapwireError("behind", "The order was replaced, and the lease with it; connect again.");
      if (this.#end === "revoked") {
        const id = this.#host.positionOf("ended", this.lease);
        yield { id, data: { type: "inbox_ended", reason: "revoked" } };
      }
    } finally {
      if (holdsRoom) room?.release();
      this.close().catch(() => undefined); // it is owed, and done later
    }
  }

  #registered(): TrackedFrame<InboxFrame> {
    const { deviceId, lease, queued } = this;
    return {
      id: this.#host.positionOf("registered", lease),
      data: { type: "registered", deviceId, lease, queued },
    };
  }

  #next(): "asleep" | TrackedFrame<InboxFrame> | { readonly send: string } {
    const head = this.#host.headOf(this.deviceId);
    if (!head) return "asleep";
    const { messageId, record } = head;
    const { status, lease, attempt, payload, text, acceptedAt } = record.state;
    if (!isSent(status) || lease !== this.lease) return { send: messageId };
    if (attemptOf({ id: messageId, attempt }) === this.#handed) return "asleep";
    return {
      id: this.#host.positionOfMessage(this.deviceId, record.sequence),
      data: {
        type: "message",
        id: messageId,
        attempt,
        payload,
        ...(text === null ? {} : { text }),
        timestamp: new Date(acceptedAt).toISOString(),
      },
    };
  }

  async #dispatch(messageId: string): Promise<void> {
    try {
      if (await this.#host.send(messageId, this.lease)) return;
      // Somebody else's now, or it left the lane: whichever it is, it has been told or will be.
      if (this.#host.headOf(this.deviceId)?.messageId === messageId) await this.#sleep();
    } catch (error) {
      const { deviceId } = this;
      this.#host.logger.warn({ deviceId, messageId, error }, "a message could not be sent; tried again");
      const timer = setTimeout(() => this.wake(), TRY_AGAIN_MS);
      timer.unref();
      await this.#sleep();
      clearTimeout(timer);
    }
  }

  /** Resolves at the next wake, or at once when one came since the last sleep. */
  async #sleep(): Promise<void> {
    if (!this.#awake && !this.#end) {
      await new Promise<void>((resolve) => {
        this.#sleeper = resolve;
      });
    }
    this.#awake = false;
  }

  async #roomOrEnd(room: Promise<void>): Promise<void> {
    let over = false;
    const wake = (): void => {
      over = true;
      this.wake();
    };
    room.then(wake, wake);
    while (!over && !this.#end) await this.#sleep();
  }
}

function attemptOf({ id, attempt }: { readonly id: string; readonly attempt: number }): string {
  return `${id} ${attempt}`;
}
