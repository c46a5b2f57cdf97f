/**
 * agents: devices that are told things, and answer. See README.md of this room.
 */
import { randomUUID } from "node:crypto";
import { settledWithin } from "../collection/settled-within.ts";
import type { Feed } from "../feed/feed.ts";
import type { Journal } from "../journal/journal.ts";
import type { Logger } from "../log.ts";
import type {
  AckOutcome,
  AckResult,
  AgentPresence,
  ConnectPolicy,
  MessageReport,
  PresenceFrame,
  SendResult,
} from "../protocol/agents.ts";
import { SnapwireError } from "../protocol/errors.ts";
import type { TrackedFrame } from "../protocol/frames.ts";
import { formatPosition } from "../protocol/position.ts";
import { normaliseDeviceId } from "./device-id.ts";
import { DeviceRecords } from "./device-records.ts";
import type { Inbox } from "./inbox.ts";
import { Inboxes } from "./inboxes.ts";
import { ackResultOf, isSettled, reportOf } from "./message.ts";
import { Nodes } from "./nodes.ts";
import { type AgentsOptions, settingsOf } from "./options.ts";
import { ALL_DEVICES } from "./presence.ts";
import { SenderWaits } from "./sender-waits.ts";
import { Sending, type SendRequest } from "./sending.ts";
import { StatusWatchers } from "./status-watchers.ts";

export interface ConnectRequest {
  readonly deviceId: string;
  /** What happens when the device has an inbox already. @defaultValue "takeover" */
  readonly policy?: ConnectPolicy | undefined;
  /** Who connects, for people. */
  readonly subject?: string | undefined;
  /** Closes the inbox. */
  readonly signal?: AbortSignal | undefined;
}

export interface AckRequest {
  readonly id: string;
  /** Under which it was received. */
  readonly lease: number;
  /** @defaultValue "ok" */
  readonly outcome?: AckOutcome | undefined;
  /** Why it failed, for people. */
  readonly error?: string | undefined;
  /** Of whom the caller is: an ack of another device's message is refused. */
  readonly deviceId?: string | undefined;
}

export interface AgentsStats {
  /** Devices that are known. */
  readonly devices: number;
  /** Inboxes that this node serves. */
  readonly inboxes: number;
  readonly waiting: number;
  readonly inFlight: number;
  readonly stuck: number;
  readonly deadLetters: number;
  /** Settled messages that are remembered. */
  readonly settled: number;
  /** JSON of the messages that are not settled. */
  readonly bytes: number;
  /** JSON of the dead letters. */
  readonly settledBytes: number;
  /** Senders who wait for an ack. */
  readonly senders: number;
  /** Who watches a message or the devices. */
  readonly watchers: number;
}

export interface Agents {
  /** Opens the inbox of a device, and takes its lease. */
  connect(request: ConnectRequest): Promise<Inbox>;
  send(request: SendRequest): Promise<SendResult>;
  ack(request: AckRequest): Promise<AckResult>;
  status(messageId: string): MessageReport | undefined;
  /** The report of a message, now and at each change; ends when it is settled, the signal aborts or the service stops. */
  watchStatus(
    messageId: string,
    signal?: AbortSignal,
  ): AsyncGenerator<TrackedFrame<MessageReport>, void, void>;
  /** The devices that are online, sorted. */
  devices(): string[];
  /** Every device that is known, in the order of the last change. */
  list(): readonly AgentPresence[];
  /** Newest first. @param limit - @defaultValue 100 */
  deadLetters(filter?: {
    readonly deviceId?: string | undefined;
    readonly limit?: number | undefined;
  }): MessageReport[];
  /** Accepts a dead letter anew, at the end of its lane. */
  resend(messageId: string): Promise<MessageReport>;
  /** Who is there, as a feed: one scope, {@link ALL_DEVICES}. */
  readonly feed: Feed<AgentPresence, PresenceFrame>;
  stats(): AgentsStats;
}

/** The room as the service owns it. */
export interface AgentsRoom extends Agents {
  /** Reads what is kept, and puts right what a life before this one left. The journal is open. */
  open(): Promise<void>;
  /** Ends all inboxes, answers all senders, waits for work in flight. */
  close(): Promise<void>;
}

export interface AgentsRoomOptions extends AgentsOptions {
  readonly journal: Journal;
  readonly logger: Logger;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

const MAX_ERROR_LENGTH = 1_024;
/** How long closing waits until devices are known to be offline: an engine that fell silent must not keep the process. */
const GOODBYE_MS = 2_000;
const DEFAULT_DEAD_LETTERS = 100;

export function createAgents(options: AgentsRoomOptions): AgentsRoom {
  const { journal, logger, now, nodeId = randomUUID(), ...given } = options;
  const settings = settingsOf(given);
  let running = false;

  const records: DeviceRecords = new DeviceRecords({
    journal,
    logger,
    now,
    settings,
    onMessage: (messageId, deviceId, state) => {
      sending.messageArrived(messageId);
      if (!state || isSettled(state.status)) waits.messageSettled(messageId);
      inboxes.wake(deviceId);
      watchers.changed(messageId);
    },
    onPresence: (deviceId) => {
      sending.deviceArrived(deviceId);
      waits.leaseIs(deviceId, records.presence(deviceId)?.state.online ? records.leaseOf(deviceId) : 0);
      inboxes.look(deviceId);
      nodes?.touch();
    },
    onReset: () => {
      if (!records.loaded) return;
      inboxes.lookAtAll();
      waits.all();
      watchers.all();
      nodes?.touch();
    },
  });
  const waits = new SenderWaits(settings.maxWaitingSenders);
  const watchers = new StatusWatchers();
  const sending = new Sending({ records, waits, settings, now });
  const inboxes: Inboxes = new Inboxes({
    records,
    nodeId,
    now,
    logger,
    maxAttempts: settings.maxAttempts,
    shared: journal.shared === true,
    ack: (request) => ack(request),
  });
  const nodes = journal.shared
    ? new Nodes({
        journal,
        nodeId,
        now,
        logger,
        settings,
        serves: () => inboxes.size > 0,
        others: () => {
          const online = records.entries().filter((entry) => entry.online && entry.node !== nodeId);
          return new Set(online.flatMap(({ node }) => node ?? []));
        },
        onGone: (node) => offline((of) => of === node),
      })
    : undefined;

  /** Commits that the inboxes of some nodes are gone. */
  async function offline(isGone: (node: string | null) => boolean): Promise<void> {
    const gone = records.entries().filter(({ online, node }) => online && isGone(node));
    await Promise.all(
      gone.map(async ({ deviceId }) => {
        const holder = records.presence(deviceId)?.state.holder;
        if (holder) await records.writePresence(deviceId, { kind: "leave", holder, at: now() });
      }),
    );
  }

  function assertRunning(): void {
    if (!running) throw new SnapwireError("unavailable", "The service is not running; try again later.");
  }

  async function ack({ id, lease, outcome = "ok", error, deviceId }: AckRequest): Promise<AckResult> {
    assertRunning();
    const record = records.message(id);
    if (!record)
      throw new SnapwireError("unknown-message", `There is no message ${id}; it may have been forgotten.`);
    if (deviceId !== undefined && record.state.deviceId !== deviceId) return { accepted: false, late: false };
    const written = await records.write(id, record.state.deviceId, {
      kind: "ack",
      lease,
      outcome,
      error: error === undefined ? null : error.slice(0, MAX_ERROR_LENGTH),
      at: now(),
    });
    return ackResultOf(written.outcome);
  }

  function status(messageId: string): MessageReport | undefined {
    const record = records.message(messageId);
    return record && reportOf(messageId, record.state);
  }

  return {
    async open() {
      await records.open();
      await nodes?.open();
      if (!journal.shared) await offline(() => true);
      await records.correctCounts();
      running = true;
      nodes?.touch();
    },
    async close() {
      running = false;
      waits.close();
      watchers.close();
      await settledWithin(GOODBYE_MS, inboxes.close());
      await Promise.all([nodes?.close(), records.close()]);
    },
    async connect({ deviceId, policy = "takeover", subject, signal }) {
      assertRunning();
      const device = normaliseDeviceId(deviceId);
      await sending.know(device);
      return inboxes.open({ deviceId: device, policy, subject, signal });
    },
    async send(request) {
      assertRunning();
      return sending.send(request);
    },
    ack,
    status,
    watchStatus: (messageId, signal) =>
      watchers.watch(messageId, {
        signal,
        report: () => {
          const record = records.message(messageId);
          return (
            record && {
              id: formatPosition(records.messages.tagOf(record.state.deviceId), record.sequence),
              data: reportOf(messageId, record.state),
            }
          );
        },
      }),
    devices: () =>
      records
        .entries()
        .filter(({ online }) => online)
        .map(({ deviceId }) => deviceId)
        .sort(),
    list: () => records.entries(),
    deadLetters({ deviceId, limit = DEFAULT_DEAD_LETTERS } = {}) {
      const found: MessageReport[] = [];
      const of = deviceId === undefined ? undefined : normaliseDeviceId(deviceId);
      for (const messageId of records.ledger.deadLetters(of)) {
        if (found.length >= limit) break;
        const report = status(messageId);
        if (report) found.push(report);
      }
      return found;
    },
    async resend(messageId) {
      assertRunning();
      const record = records.message(messageId);
      if (!record) throw new SnapwireError("unknown-message", `There is no message ${messageId}.`);
      const { deviceId, bytes } = record.state;
      await sending.know(deviceId);
      sending.assertRoom(deviceId, bytes);
      const at = now();
      const { outcome } = await records.write(messageId, deviceId, {
        kind: "resend",
        at,
        expiresAt: at + settings.expireAfterMs,
      });
      if (!outcome.accepted)
        throw new SnapwireError("invalid-input", `Message ${messageId} is not a dead letter.`);
      return status(messageId) ?? reportOf(messageId, record.state);
    },
    get feed() {
      return records.presences.feed;
    },
    stats() {
      const { ledger } = records;
      return {
        ...ledger.totals(),
        devices: records.devices,
        inboxes: inboxes.size,
        settled: ledger.settled.messages,
        bytes: ledger.open.bytes,
        settledBytes: ledger.settled.bytes,
        senders: waits.size,
        watchers: watchers.size + records.presences.feed.size,
      };
    },
  };
}

export { ALL_DEVICES };
