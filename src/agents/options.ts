/** What can be set, with its unit and default. Every bound of the room stands here. */
export interface AgentsOptions {
  /** Names this process to the others. @defaultValue a random id */
  readonly nodeId?: string;
  /** Messages that may wait for one device, besides the one in flight. @defaultValue 50 */
  readonly maxWaitingPerDevice?: number;
  /** Messages that are not settled, over all devices. @defaultValue 10_000 */
  readonly maxMessages?: number;
  /** Bytes of JSON of the messages that are not settled, over all devices. @defaultValue 67_108_864 */
  readonly maxBytes?: number;
  /** Bytes of JSON of one message. @defaultValue 262_144 */
  readonly maxMessageBytes?: number;
  /** Devices that are known: online, or offline with messages, or offline for not too long. @defaultValue 10_000 */
  readonly maxDevices?: number;
  /** Senders that wait for an ack; one more is answered at once. @defaultValue 10_000 */
  readonly maxWaitingSenders?: number;
  /** How long a message may stay in its lane, in milliseconds. @defaultValue 86_400_000 */
  readonly expireAfterMs?: number;
  /** Unacknowledged for so long, a message is shown as stuck, in milliseconds. @defaultValue 60_000 */
  readonly stuckAfterMs?: number;
  /** A message that so many inboxes did not acknowledge is a dead letter. @defaultValue 5 */
  readonly maxAttempts?: number;
  /** Delivered messages and dead letters are remembered for so long, in milliseconds. @defaultValue 86_400_000 */
  readonly keepSettledForMs?: number;
  /** Delivered messages and dead letters that are remembered; the oldest go first. @defaultValue 10_000 */
  readonly maxSettled?: number;
  /** Bytes of JSON of the dead letters; the oldest settled messages go first. @defaultValue 67_108_864 */
  readonly maxSettledBytes?: number;
  /** An offline device without messages is forgotten after so long, in milliseconds. @defaultValue 86_400_000 */
  readonly forgetDeviceAfterMs?: number;
  /** Changes of a device's counts are told together, after so long, in milliseconds. @defaultValue 100 */
  readonly countsAfterMs?: number;
  /** Where nodes share an engine: how often a node that serves inboxes says so, in milliseconds. @defaultValue 5_000 */
  readonly heartbeatEveryMs?: number;
  /** A node that is silent for so long does not serve its inboxes any more, in milliseconds. @defaultValue 15_000 */
  readonly silentAfterMs?: number;
}

export type AgentsSettings = Required<Omit<AgentsOptions, "nodeId">>;

const DEFAULTS: AgentsSettings = {
  maxWaitingPerDevice: 50,
  maxMessages: 10_000,
  maxBytes: 64 * 1024 * 1024,
  maxMessageBytes: 256 * 1024,
  maxDevices: 10_000,
  maxWaitingSenders: 10_000,
  expireAfterMs: 86_400_000,
  stuckAfterMs: 60_000,
  maxAttempts: 5,
  keepSettledForMs: 86_400_000,
  maxSettled: 10_000,
  maxSettledBytes: 64 * 1024 * 1024,
  forgetDeviceAfterMs: 86_400_000,
  countsAfterMs: 100,
  heartbeatEveryMs: 5_000,
  silentAfterMs: 15_000,
};

export function settingsOf(options: AgentsOptions): AgentsSettings {
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  return { ...DEFAULTS, ...Object.fromEntries(given) };
}
