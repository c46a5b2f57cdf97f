/** Accepts messages, and answers what became of them while their senders wait. */

import type { SendResult } from "../protocol/agents.ts";
import { SnapwireError } from "../protocol/errors.ts";
import { type MessageContent, messageIdOf, readContent } from "./content.ts";
import { normaliseDeviceId } from "./device-id.ts";
import type { DeviceRecords } from "./device-records.ts";
import { isSent, isSettled, type MessageState } from "./message.ts";
import type { AgentsSettings } from "./options.ts";
import type { SenderWaits } from "./sender-waits.ts";

export interface SendRequest {
  readonly deviceId: string;
  /** Plain JSON. A message has a payload, a text, or both. */
  readonly payload?: unknown;
  readonly text?: string | undefined;
  /** The same key of the same sender to the same device: the same message, sent once. */
  readonly clientKey?: string | undefined;
  /** How long to wait for the ack of a device that is online, in milliseconds, at most 30_000. @defaultValue 5_000 */
  readonly waitMs?: number | undefined;
  /** Names who sends: a client key counts for one sender. @defaultValue "" */
  readonly sender?: string | undefined;
  /** The sender has left: nobody waits any more. The message stays. */
  readonly signal?: AbortSignal | undefined;
}

export interface SendingOptions {
  readonly records: DeviceRecords;
  readonly waits: SenderWaits;
  readonly settings: AgentsSettings;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

const DEFAULT_WAIT_MS = 5_000;
export const MAX_WAIT_MS = 30_000;

export class Sending {
  readonly #options: SendingOptions;
  /** Messages on their way into the ledger. */
  readonly #coming = new Map<string, { readonly deviceId: string; readonly bytes: number }>();
  /** Devices on their way into what is known. */
  readonly #knowing = new Map<string, Promise<void>>();
  /** Those of them that are not counted among the known ones yet. */
  readonly #newDevices = new Set<string>();

  constructor(options: SendingOptions) {
    this.#options = options;
  }

  async send(request: SendRequest): Promise<SendResult> {
    const { records, settings } = this.#options;
    const deviceId = normaliseDeviceId(request.deviceId);
    const content = readContent(request, settings.maxMessageBytes);
    const { sender = "", clientKey } = request;
    const waitMs = readWait(request.waitMs);
    const messageId = messageIdOf(deviceId, sender, clientKey);
    if (!records.message(messageId)) await this.#accept(messageId, deviceId, { ...content, sender, waitMs });
    return this.#answer(messageId, deviceId, waitMs, request.signal);
  }

  /** Makes a device known, if there is room for one more. */
  async know(deviceId: string): Promise<void> {
    const { records, settings, now } = this.#options;
    const knowing = this.#knowing.get(deviceId);
    if (knowing) return knowing; // whoever comes second does not overtake
    if (records.presence(deviceId)) return;
    if (records.devices + this.#newDevices.size >= settings.maxDevices) {
      throw new SnapwireError(
        "too-many-devices",
        `${settings.maxDevices} devices are known; one more is not taken.`,
      );
    }
    this.#newDevices.add(deviceId);
    const known = records.writePresence(deviceId, { kind: "know", at: now() }).finally(() => {
      this.#knowing.delete(deviceId);
      this.#newDevices.delete(deviceId);
    });
    this.#knowing.set(deviceId, known);
    await known;
  }

  /** A commit of a message was applied: it is counted in the ledger now. */
  messageArrived(messageId: string): void {
    this.#coming.delete(messageId);
  }

  /** A commit of a device was applied: it is counted among those that are known. */
  deviceArrived(deviceId: string): void {
    this.#newDevices.delete(deviceId);
  }

  /** @throws SnapwireError `queue-full` when no message of so many bytes may come for the device. */
  assertRoom(deviceId: string, bytes: number): void {
    const { records, settings } = this.#options;
    let forDevice = 0;
    let comingBytes = 0;
    for (const coming of this.#coming.values()) {
      comingBytes += coming.bytes;
      if (coming.deviceId === deviceId) forDevice += 1;
    }
    const { open } = records.ledger;
    if (records.ledger.countsOf(deviceId).waiting + forDevice >= settings.maxWaitingPerDevice)
      throw full(`${settings.maxWaitingPerDevice} messages wait for device ${deviceId}`);
    if (open.messages + this.#coming.size >= settings.maxMessages)
      throw full(`${settings.maxMessages} messages wait for all devices together`);
    if (open.bytes + comingBytes + bytes > settings.maxBytes)
      throw full(`Messages of ${settings.maxBytes} bytes wait for all devices together`);
  }

  async #accept(
    messageId: string,
    deviceId: string,
    { payload, text, bytes, sender, waitMs }: MessageContent & Pick<MessageState, "sender" | "waitMs">,
  ): Promise<void> {
    const { records, settings, now } = this.#options;
    await this.know(deviceId);
    if (records.message(messageId)) return; // the same key was faster
    if (!this.#coming.has(messageId)) {
      this.assertRoom(deviceId, bytes);
      this.#coming.set(messageId, { deviceId, bytes });
    }
    const at = now();
    try {
      await records.write(messageId, deviceId, {
        kind: "accept",
        state: {
          deviceId,
          sender,
          payload,
          text,
          bytes,
          status: "waiting",
          order: 0,
          attempt: 0,
          attemptsBefore: 0,
          lease: 0,
          waitMs,
          acceptedAt: at,
          sentAt: 0,
          settledAt: 0,
          expiresAt: at + settings.expireAfterMs,
          error: null,
        },
      });
    } finally {
      this.#coming.delete(messageId);
    }
  }

  async #answer(
    messageId: string,
    deviceId: string,
    waitMs: number,
    signal: AbortSignal | undefined,
  ): Promise<SendResult> {
    const { records, waits } = this.#options;
    const state = records.message(messageId)?.state;
    if (state && !isSettled(state.status) && records.presence(deviceId)?.state.online && waitMs > 0)
      await waits.wait({ messageId, deviceId, lease: records.leaseOf(deviceId), waitMs, signal });
    return this.#resultOf(messageId, records.message(messageId)?.state ?? state);
  }

  #resultOf(messageId: string, state: MessageState | undefined): SendResult {
    const { records } = this.#options;
    if (!state) throw new SnapwireError("unknown-message", `Message ${messageId} was forgotten already.`);
    const { deviceId, status } = state;
    switch (status) {
      case "delivered":
      case "failed":
      case "expired":
        return { messageId, status, queued: false };
      case "waiting":
      case "in-flight":
      case "stuck": {
        const isHeld = records.presence(deviceId)?.state.online && records.leaseOf(deviceId) === state.lease;
        const position = records.ledger.positionOf(messageId);
        return {
          messageId,
          status: isSent(status) && isHeld ? "pending" : "queued",
          queued: true,
          ...(position === undefined ? {} : { position }),
        };
      }
    }
  }
}

function readWait(waitMs: number | undefined): number {
  if (waitMs === undefined) return DEFAULT_WAIT_MS;
  if (Number.isFinite(waitMs) && waitMs >= 0 && waitMs <= MAX_WAIT_MS) return waitMs;
  throw new SnapwireError("invalid-input", `waitMs must be a number from 0 to ${MAX_WAIT_MS}.`);
}

function full(what: string): SnapwireError {
  return new SnapwireError("queue-full", `${what}: nothing more is accepted until some are acknowledged.`);
}
