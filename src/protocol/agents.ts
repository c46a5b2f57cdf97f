/**
 * The words of agents (devices): what an inbox says, what is known of a device and of a message, what a send or an ack
 * is answered. Plain JSON; loads in a browser.
 */
import type { EndedReason, FullReason } from "./frames.ts";

export const MESSAGE_STATUSES = [
  /** In the device's lane, behind the message that is in flight, or the device is offline. */
  "waiting",
  /** Sent to the device, not acknowledged yet. */
  "in-flight",
  /** Sent, and not acknowledged for a long time. It is not sent again while the same lease lives. */
  "stuck",
  "delivered",
  /** A dead letter: the device said that it failed, or no attempt was acknowledged. */
  "failed",
  /** A dead letter: nobody acknowledged it in time. */
  "expired",
] as const;
export type MessageStatus = (typeof MESSAGE_STATUSES)[number];

/** What is known of a message. Its payload is for the device alone. */
export interface MessageReport {
  readonly messageId: string;
  readonly deviceId: string;
  readonly status: MessageStatus;
  /** How often it was sent. */
  readonly attempt: number;
  /** RFC 3339, like all times here. */
  readonly acceptedAt: string;
  /** When the newest attempt was sent. */
  readonly sentAt: string | null;
  /** When it was acknowledged, failed or expired. */
  readonly settledAt: string | null;
  readonly expiresAt: string;
  /** Why it is a dead letter. */
  readonly error: string | null;
}

/** What is known of a device. */
export interface AgentPresence {
  readonly deviceId: string;
  /** An inbox of the device is open. */
  readonly online: boolean;
  /** The fencing token of its newest inbox; null when it never had one. */
  readonly lease: number | null;
  /** The node that serves its inbox. */
  readonly node: string | null;
  /** Who opened its inbox. */
  readonly subject: string | null;
  /** When its newest inbox was opened, RFC 3339. */
  readonly connectedAt: string | null;
  /** When it came or went, RFC 3339. */
  readonly since: string;
  readonly waiting: number;
  readonly inFlight: number;
  readonly stuck: number;
  readonly deadLetters: number;
}

/** First frame of an inbox: the device is registered under this lease. */
export interface InboxRegistered {
  readonly type: "registered";
  readonly deviceId: string;
  /** The fencing token: send it with each ack. */
  readonly lease: number;
  /** How many messages wait for the device. */
  readonly queued: number;
}

/** One message, until it is acknowledged the only one. */
export interface InboxMessage {
  readonly type: "message";
  /** Stays the same over all attempts: an id that was executed already is acknowledged, not executed again. */
  readonly id: string;
  /** From 1. */
  readonly attempt: number;
  /** Null when only a text was sent. */
  readonly payload: unknown;
  readonly text?: string;
  /** When it was accepted, RFC 3339. */
  readonly timestamp: string;
}

/** The server ends the inbox for good. */
export interface InboxEnded {
  readonly type: "inbox_ended";
  readonly reason: "revoked";
}

export type InboxFrame = InboxRegistered | InboxMessage | InboxEnded;

export const ACK_OUTCOMES = ["ok", "failed"] as const;
export type AckOutcome = (typeof ACK_OUTCOMES)[number];

export interface AckResult {
  /** False: an old lease, or a message that is not this lease's to acknowledge. The message stays as it was. */
  readonly accepted: boolean;
  /** It came after the time that the sender was ready to wait. It counts all the same. */
  readonly late: boolean;
}

/** How the inbox of a device that has one already is opened: the newer one takes over, or is refused. */
export const CONNECT_POLICIES = ["takeover", "reject"] as const;
export type ConnectPolicy = (typeof CONNECT_POLICIES)[number];

export const SEND_STATUSES = ["delivered", "queued", "pending", "failed", "expired"] as const;
export type SendStatus = (typeof SEND_STATUSES)[number];

export interface SendResult {
  readonly messageId: string;
  /**
   * `delivered`: acknowledged. `queued`: kept in the lane. `pending`: sent and not acknowledged yet, at the head of the
   * lane; never a second copy. `failed`, `expired`: a dead letter.
   */
  readonly status: SendStatus;
  /** It is kept until it is acknowledged, fails or expires. */
  readonly queued: boolean;
  /** Its place in the lane, from 1; only while it is queued. */
  readonly position?: number;
}

export interface PresenceFull {
  readonly type: "presence_full";
  readonly entries: readonly AgentPresence[];
  readonly reason: FullReason;
}

export interface PresenceResumed {
  readonly type: "presence_resumed";
  readonly until: string;
  readonly missed: number;
}

export interface PresenceChanged {
  readonly type: "presence_changed";
  readonly deviceId: string;
  readonly entry: AgentPresence;
}

export interface PresenceRemoved {
  readonly type: "presence_removed";
  readonly deviceId: string;
}

export interface PresenceStatus {
  readonly type: "presence_status";
  readonly fresh: boolean;
  readonly reason?: string;
  /** RFC 3339. */
  readonly since: string;
}

export interface PresenceProgress {
  readonly type: "presence_progress";
}

export interface PresenceEnded {
  readonly type: "presence_ended";
  readonly reason: EndedReason;
}

export type PresenceFrame =
  | PresenceFull
  | PresenceResumed
  | PresenceChanged
  | PresenceRemoved
  | PresenceStatus
  | PresenceProgress
  | PresenceEnded;

/** Reads what an inbox delivered; `undefined` for a type that is not known, or a broken shape: a receiver skips it. */
export function readInboxFrame(data: unknown): InboxFrame | undefined {
  if (!isRecord(data)) return undefined;
  switch (data.type) {
    case "registered":
      return typeof data.lease === "number" && typeof data.deviceId === "string"
        ? as<InboxFrame>(data)
        : undefined;
    case "message":
      return typeof data.id === "string" && typeof data.attempt === "number"
        ? as<InboxFrame>(data)
        : undefined;
    case "inbox_ended":
      return typeof data.reason === "string" ? as<InboxFrame>(data) : undefined;
    default:
      return undefined;
  }
}

/** Reads what `agents.onPresence` delivered, in the same way. */
export function readPresenceFrame(data: unknown): PresenceFrame | undefined {
  if (!isRecord(data)) return undefined;
  switch (data.type) {
    case "presence_full":
      return Array.isArray(data.entries) ? as<PresenceFrame>(data) : undefined;
    case "presence_resumed":
      return typeof data.until === "string" ? as<PresenceFrame>(data) : undefined;
    case "presence_changed":
      return typeof data.deviceId === "string" && isRecord(data.entry) ? as<PresenceFrame>(data) : undefined;
    case "presence_removed":
      return typeof data.deviceId === "string" ? as<PresenceFrame>(data) : undefined;
    case "presence_status":
      return typeof data.fresh === "boolean" ? as<PresenceFrame>(data) : undefined;
    case "presence_progress":
      return as<PresenceFrame>(data);
    case "presence_ended":
      return typeof data.reason === "string" ? as<PresenceFrame>(data) : undefined;
    default:
      return undefined;
  }
}

function as<Frame>(data: Record<string, unknown>): Frame {
  return data as unknown as Frame;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
