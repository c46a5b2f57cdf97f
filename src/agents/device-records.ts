/**
 * The two collections of the room, and what is kept in step with them: the ledger, the deadlines, the counts that are
 * shown of a device. Every change is a commit; whoever waits for one hears of it here.
 */
import type { Collection, Written } from "../collection/collection.ts";
import type { CollectionRecord } from "../collection/record.ts";
import { ServedCollection } from "../feed/served-collection.ts";
import type { Journal } from "../journal/journal.ts";
import type { Logger } from "../log.ts";
import type { AgentPresence, MessageReport, PresenceFrame } from "../protocol/agents.ts";
import { SnapwireError } from "../protocol/errors.ts";
import { CountsTelling } from "./counts-telling.ts";
import { Deadlines } from "./deadlines.ts";
import { KeptCollection } from "./kept-collection.ts";
import { Ledger, placeOf } from "./ledger.ts";
import {
  foldMessage,
  isSettled,
  type MessageOperation,
  type MessageOutcome,
  type MessageState,
  reportOf,
} from "./message.ts";
import type { AgentsSettings } from "./options.ts";
import {
  ALL_DEVICES,
  foldPresence,
  leaseOf,
  type PresenceOperation,
  type PresenceState,
  presenceOf,
  sameCounts,
} from "./presence.ts";
import { presenceWording } from "./wording.ts";

export interface DeviceRecordsOptions {
  readonly journal: Journal;
  readonly logger: Logger;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly settings: AgentsSettings;
  /** A commit of a message was applied; undefined: it is forgotten. */
  readonly onMessage: (messageId: string, deviceId: string, state: MessageState | undefined) => void;
  /** A commit of a device was applied. */
  readonly onPresence: (deviceId: string) => void;
  /** All that is known was read again. */
  readonly onReset: () => void;
}

export type Messages = Collection<MessageOperation, MessageState, MessageReport, MessageOutcome>;
export type Presences = ServedCollection<
  PresenceOperation,
  PresenceState,
  AgentPresence,
  undefined,
  PresenceFrame
>;

/** After a commit that failed, in milliseconds. */
const TRY_AGAIN_MS = 5_000;
const REVISION = "1";

export class DeviceRecords {
  readonly ledger = new Ledger();
  readonly presences: Presences;
  readonly #options: DeviceRecordsOptions;
  readonly #kept: KeptCollection<MessageOperation, MessageState, MessageReport, MessageOutcome>;
  readonly #deadlines: Deadlines;
  readonly #counts: CountsTelling;
  #trimming = false;
  #closed = false;

  constructor(options: DeviceRecordsOptions) {
    const { journal, logger, now, settings } = options;
    this.#options = options;
    this.#deadlines = new Deadlines({ now, onDue: (key) => this.#due(key) });
    this.#counts = new CountsTelling({
      afterMs: settings.countsAfterMs,
      tell: (deviceId) => this.#tellCounts(deviceId),
    });
    this.#kept = new KeptCollection({
      name: "messages",
      journal,
      revision: REVISION,
      now,
      logger,
      model: {
        fold: (messageId, base, operations) =>
          foldMessage(base, operations, {
            sequence: this.messages.record(messageId)?.sequence ?? 0,
            leaseOf: (deviceId) => this.#leaseToFence(deviceId),
          }),
        entryOf: (messageId, state) => reportOf(messageId, state),
      },
      onTold: ({ key }) => this.#messageTold(key),
      onReset: () => this.#messagesReset(),
    });
    this.presences = new ServedCollection({
      name: "agents",
      journal,
      revision: REVISION,
      now,
      logger,
      wording: presenceWording,
      model: {
        fold: (deviceId, base, operations) =>
          foldPresence(deviceId, base, operations, {
            sequence: this.presences.collection.record(deviceId)?.sequence ?? 0,
            hasMessages: !this.messages.loaded || !this.#isIdle(deviceId),
          }),
        entryOf: (deviceId, state, sequence) => presenceOf(deviceId, state, sequence),
      },
      onTold: ({ key }) => this.#presenceTold(key),
      onReset: () => this.#presencesReset(),
    });
  }

  async open(): Promise<void> {
    await this.messages.open();
    await this.presences.open();
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#deadlines.close();
    this.#counts.close();
    await Promise.all([this.#kept.close(), this.presences.close()]);
  }

  get messages(): Messages {
    return this.#kept.collection;
  }

  /** Both collections are known in whole: nothing is decided over a part. */
  get loaded(): boolean {
    return this.messages.loaded && this.presences.collection.loaded;
  }

  /** How many deadlines are watched, by one timer. */
  get deadlines(): number {
    return this.#deadlines.size;
  }

  message(messageId: string): CollectionRecord<MessageState> | undefined {
    const record = this.messages.record(messageId);
    return record && record.scope !== null ? record : undefined;
  }

  presence(deviceId: string): CollectionRecord<PresenceState> | undefined {
    const record = this.presences.collection.record(deviceId);
    return record && record.scope !== null ? record : undefined;
  }

  /** The newest lease of a device; 0 = none. */
  leaseOf(deviceId: string): number {
    const record = this.presence(deviceId);
    return record ? leaseOf(record) : 0;
  }

  /** What was read only in part fences nobody. */
  #leaseToFence(deviceId: string): number {
    if (!this.presences.collection.loaded)
      throw new SnapwireError("unavailable", "Who holds the lease is being read; try again.");
    return this.leaseOf(deviceId);
  }

  /** Devices that are known. */
  get devices(): number {
    return this.presences.collection.view(ALL_DEVICES)?.entryCount ?? 0;
  }

  entries(): readonly AgentPresence[] {
    return this.presences.collection.view(ALL_DEVICES)?.entries() ?? [];
  }

  /** Commits an operation on a message; the counts of its device are told soon. */
  async write(
    messageId: string,
    deviceId: string,
    operation: MessageOperation,
  ): Promise<Written<MessageOutcome>> {
    this.#assertOpen();
    const written = await this.messages.write(messageId, operation);
    const shown = this.presence(deviceId)?.state;
    if (!shown || !sameCounts(shown, this.ledger.countsOf(deviceId))) this.#counts.touch(deviceId);
    return written;
  }

  async writePresence(deviceId: string, operation: PresenceOperation): Promise<void> {
    this.#assertOpen();
    await this.presences.collection.write(deviceId, operation);
  }

  #assertOpen(): void {
    if (this.#closed) throw new SnapwireError("unavailable", "The service is not running; try again later.");
  }

  /** What is shown of a device is put right, before anybody is served. */
  async correctCounts(): Promise<void> {
    const devices = new Set([...this.ledger.devices(), ...this.entries().map(({ deviceId }) => deviceId)]);
    await Promise.all(
      [...devices].map(async (deviceId) => {
        if (!this.presence(deviceId))
          await this.writePresence(deviceId, { kind: "know", at: this.#options.now() });
        await this.#tellCounts(deviceId);
      }),
    );
  }

  async #tellCounts(deviceId: string): Promise<void> {
    try {
      await this.writePresence(deviceId, { kind: "count", counts: this.ledger.countsOf(deviceId) });
    } catch (error) {
      if (this.#closed) return;
      this.#options.logger.warn({ deviceId, error }, "the counts of a device could not be told yet");
      this.#deadlines.set(`counts ${deviceId}`, this.#options.now() + TRY_AGAIN_MS);
    }
  }

  #messageTold(messageId: string): void {
    const record = this.message(messageId);
    const deviceId = record?.state.deviceId ?? this.ledger.deviceOf(messageId) ?? "";
    if (record) {
      this.ledger.put(messageId, record);
      this.#watchMessage(messageId, record.state);
    } else {
      this.ledger.delete(messageId);
      this.#deadlines.delete(`message ${messageId}`);
    }
    this.#trim();
    this.#options.onMessage(messageId, deviceId, record?.state);
  }

  #messagesReset(): void {
    const records = [...this.messages.records()].filter(([, { scope }]) => scope !== null);
    records.sort(([, a], [, b]) => placeOf(a) - placeOf(b));
    const settledLast = [
      ...records.filter(([, { state }]) => !isSettled(state.status)),
      ...records
        .filter(([, { state }]) => isSettled(state.status))
        .sort(([, a], [, b]) => a.state.settledAt - b.state.settledAt),
    ];
    this.ledger.reset(settledLast);
    for (const [messageId, { state }] of records) this.#watchMessage(messageId, state);
    this.#trim();
    this.#options.onReset();
  }

  #presenceTold(deviceId: string): void {
    this.#watchDevice(deviceId);
    this.#options.onPresence(deviceId);
  }

  #presencesReset(): void {
    for (const { deviceId } of this.entries()) this.#watchDevice(deviceId);
    this.#options.onReset();
  }

  #watchMessage(messageId: string, state: MessageState): void {
    this.#deadlines.set(`message ${messageId}`, this.#dueOf(state));
  }

  /** When something is to be done with a message that nobody touches. */
  #dueOf({ status, settledAt, sentAt, expiresAt }: MessageState): number {
    const { keepSettledForMs, stuckAfterMs } = this.#options.settings;
    if (isSettled(status)) return settledAt + keepSettledForMs;
    return status === "in-flight" ? Math.min(expiresAt, sentAt + stuckAfterMs) : expiresAt;
  }

  #watchDevice(deviceId: string): void {
    const state = this.presence(deviceId)?.state;
    if (state && !state.online && this.#isIdle(deviceId))
      this.#deadlines.set(`device ${deviceId}`, state.since + this.#options.settings.forgetDeviceAfterMs);
    else this.#deadlines.delete(`device ${deviceId}`);
  }

  #isIdle(deviceId: string): boolean {
    const { waiting, inFlight, deadLetters } = this.ledger.countsOf(deviceId);
    return waiting + inFlight + deadLetters === 0;
  }

  #due(key: string): void {
    const at = key.indexOf(" ");
    const [kind, id] = [key.slice(0, at), key.slice(at + 1)];
    const work =
      kind === "message"
        ? this.#messageDue(id)
        : kind === "device"
          ? this.#deviceDue(id)
          : this.#tellCounts(id);
    work.catch((error: unknown) => {
      if (this.#closed) return;
      this.#options.logger.warn({ key, error }, "what was due could not be written; tried again");
      this.#deadlines.set(key, this.#options.now() + TRY_AGAIN_MS);
    });
  }

  async #messageDue(messageId: string): Promise<void> {
    const record = this.message(messageId);
    if (!record) return;
    const { state } = record;
    const now = this.#options.now();
    if (this.#dueOf(state) > now) return this.#watchMessage(messageId, state);
    const operation: MessageOperation = isSettled(state.status)
      ? { kind: "forget" }
      : now >= state.expiresAt
        ? { kind: "expire", at: now }
        : { kind: "stick", attempt: state.attempt };
    await this.write(messageId, state.deviceId, operation);
  }

  async #deviceDue(deviceId: string): Promise<void> {
    const before = this.#options.now() - this.#options.settings.forgetDeviceAfterMs;
    await this.writePresence(deviceId, { kind: "forget", before });
  }

  /** Forgets what was settled first while too much is remembered. */
  #trim(): void {
    if (this.#trimming || this.#closed || !this.#isOverfull()) return;
    this.#trimming = true;
    const trim = async (): Promise<void> => {
      for (let oldest = this.ledger.oldestSettled; oldest; oldest = this.ledger.oldestSettled) {
        if (this.#closed || !this.#isOverfull()) return;
        await this.write(oldest, this.ledger.deviceOf(oldest) ?? "", { kind: "forget" });
        if (this.ledger.oldestSettled === oldest) return; // it could not be read, or not be written: the next commit looks again
      }
    };
    trim()
      .catch((error: unknown) =>
        this.#options.logger.warn({ error }, "settled messages could not be forgotten yet"),
      )
      .finally(() => {
        this.#trimming = false;
      });
  }

  #isOverfull(): boolean {
    const { messages, bytes } = this.ledger.settled;
    const { maxSettled, maxSettledBytes } = this.#options.settings;
    return messages > maxSettled || bytes > maxSettledBytes;
  }
}
