/** The inboxes that this node serves: at most one per device holds the lease, on all nodes together. */
import { randomUUID } from "node:crypto";
import type { Logger } from "../log.ts";
import type { ConnectPolicy } from "../protocol/agents.ts";
import { SnapwireError } from "../protocol/errors.ts";
import { formatPosition } from "../protocol/position.ts";
import { Deadlines } from "./deadlines.ts";
import type { DeviceRecords } from "./device-records.ts";
import { Inbox, type InboxHost } from "./inbox.ts";
import { ALL_DEVICES, duplicate } from "./presence.ts";

export interface InboxesOptions {
  readonly records: DeviceRecords;
  readonly nodeId: string;
  readonly now: () => number;
  readonly logger: Logger;
  readonly maxAttempts: number;
  /** Other nodes may take this one for gone. */
  readonly shared: boolean;
  readonly ack: InboxHost["ack"];
}

export interface OpenInbox {
  /** Normalised. */
  readonly deviceId: string;
  readonly policy: ConnectPolicy;
  readonly subject: string | undefined;
  readonly signal: AbortSignal | undefined;
}

/** After a commit that failed, in milliseconds. */
const TRY_AGAIN_MS = 5_000;

export class Inboxes {
  readonly #options: InboxesOptions;
  readonly #host: InboxHost;
  /** The one that holds the lease, by device. */
  readonly #open = new Map<string, Inbox>();
  /** Inboxes that are gone, whose device is not known to be offline yet: by holder. */
  readonly #owed = new Map<string, string>();
  readonly #retries: Deadlines;
  #closed = false;

  constructor(options: InboxesOptions) {
    const { records, now, logger, maxAttempts } = options;
    this.#options = options;
    this.#retries = new Deadlines({ now, onDue: (holder) => void this.#payOwed(holder) });
    this.#host = {
      logger,
      headOf: (deviceId) => {
        const messageId = records.loaded ? records.ledger.headOf(deviceId) : undefined;
        const record = messageId === undefined ? undefined : records.message(messageId);
        return messageId === undefined || !record ? undefined : { messageId, record };
      },
      send: async (messageId, lease) => {
        const deviceId = records.ledger.deviceOf(messageId) ?? "";
        const { outcome } = await records.write(messageId, deviceId, {
          kind: "send",
          lease,
          at: now(),
          maxAttempts,
        });
        return outcome.accepted;
      },
      positionOf: (kind, lease) =>
        formatPosition(records.presences.collection.tagOf(ALL_DEVICES), lease, kind === "ended" ? "e" : "r"),
      positionOfMessage: (deviceId, sequence) => formatPosition(records.messages.tagOf(deviceId), sequence),
      ack: options.ack,
      left: (inbox) => this.#left(inbox),
    };
  }

  get size(): number {
    return this.#open.size;
  }

  /**
   * Takes the lease of a device.
   * @throws SnapwireError `duplicate-connection`: by the policy, or because a newer inbox was faster.
   */
  async open({ deviceId, policy, subject, signal }: OpenInbox): Promise<Inbox> {
    const { records, nodeId, now } = this.#options;
    const holder = randomUUID();
    try {
      await records.writePresence(deviceId, {
        kind: "take",
        holder,
        policy,
        node: nodeId,
        subject: subject ?? null,
        at: now(),
      });
    } catch (error) {
      if (!isRefusal(error)) await this.#payOwed(holder, deviceId); // it may have been taken all the same
      throw error;
    }
    if (this.#closed) {
      await this.#payOwed(holder, deviceId);
      throw new SnapwireError("unavailable", "The service is not running; try again later.");
    }
    if (records.presence(deviceId)?.state.holder !== holder) throw duplicate(deviceId);
    const { waiting, inFlight } = records.ledger.countsOf(deviceId);
    const inbox = new Inbox(
      { deviceId, holder, lease: records.leaseOf(deviceId), queued: waiting + inFlight, signal },
      this.#host,
    );
    this.#open.set(deviceId, inbox);
    if (signal?.aborted) await inbox.close();
    return inbox;
  }

  /** There may be something to send to the device. */
  wake(deviceId: string): void {
    this.#open.get(deviceId)?.wake();
  }

  /** What is known of the device changed: is the lease still held here? */
  look(deviceId: string): void {
    const inbox = this.#open.get(deviceId);
    if (!inbox) return;
    const { records } = this.#options;
    const state = records.presence(deviceId)?.state;
    // In an order that took the place of another one the lease may be unknown, or an older one's.
    if (!state || (state.holder !== inbox.holder && records.leaseOf(deviceId) <= inbox.lease))
      void inbox.end("replaced");
    else if (state.holder !== inbox.holder) void inbox.end("superseded");
    else if (!state.online && this.#options.shared) this.#sayAlive(inbox);
  }

  lookAtAll(): void {
    for (const [deviceId, inbox] of [...this.#open]) {
      this.look(deviceId);
      inbox.wake();
    }
  }

  /** Ends all of them; resolves when the devices are known to be offline. */
  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all([...this.#open.values()].map((inbox) => inbox.end("stopped")));
    this.#retries.close();
  }

  /** Others took this node for silent; it is not. */
  #sayAlive(inbox: Inbox): void {
    const { records, now, logger } = this.#options;
    const { deviceId, holder } = inbox;
    records
      .writePresence(deviceId, { kind: "alive", holder, at: now() })
      .catch((error: unknown) => logger.warn({ deviceId, error }, "a sign of life could not be written"));
  }

  async #left(inbox: Inbox): Promise<void> {
    const { deviceId, holder, ended } = inbox;
    if (this.#open.get(deviceId) === inbox) this.#open.delete(deviceId);
    if (ended === "superseded" || ended === "replaced") return;
    await this.#payOwed(holder, deviceId);
  }

  async #payOwed(holder: string, of?: string): Promise<void> {
    const deviceId = of ?? this.#owed.get(holder);
    if (deviceId === undefined) return;
    const { records, now, logger } = this.#options;
    try {
      await records.writePresence(deviceId, { kind: "leave", holder, at: now() });
      this.#owed.delete(holder);
    } catch (error) {
      logger.warn({ deviceId, error }, "that a device is gone could not be written yet");
      this.#owed.set(holder, deviceId);
      this.#retries.set(holder, now() + TRY_AGAIN_MS);
    }
  }
}

/** The fold refused: nothing was taken. */
function isRefusal(error: unknown): boolean {
  return error instanceof Error && "reason" in error && error.reason === "duplicate-connection";
}
