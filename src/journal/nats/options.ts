/** What can be said about the engine, and what holds when nothing is said. */
import type { TlsOptions } from "@nats-io/transport-node";
import { type Logger, silentLogger } from "../../log.ts";
import { SnapwireError } from "../../protocol/errors.ts";
import { type Subjects, subjectsOf } from "./subjects.ts";

export interface NatsJournalOptions {
  /** `nats://host:4222`, or `tls://...`; several are tried in turn. @defaultValue nats://127.0.0.1:4222 */
  readonly servers?: string | readonly string[];
  readonly user?: string;
  readonly pass?: string;
  readonly token?: string;
  /** The content of a `.creds` file. */
  readonly credentials?: string | Uint8Array;
  /** Passed to the client as it is: `caFile`, `certFile`, `keyFile`, `ca`, `cert`, `key`, `handshakeFirst`. */
  readonly tls?: TlsOptions;
  /** How the servers call this node in their reports. @defaultValue snapwire */
  readonly name?: string;

  /** In front of every subject. @defaultValue snapwire */
  readonly subjectPrefix?: string;
  /** @defaultValue SNAPWIRE_STATE */
  readonly stateStream?: string;
  /** @defaultValue SNAPWIRE_EVENTS */
  readonly eventsStream?: string;
  /**
   * Copies of each stream. @defaultValue 3 where the servers are a cluster, else 1; a stream that exists keeps what it has
   */
  readonly replicas?: number;
  /** @defaultValue file */
  readonly storage?: "file" | "memory";
  /** The most that a stream may hold; a full one refuses writes. @defaultValue no limit */
  readonly stateMaxBytes?: number;
  readonly eventsMaxBytes?: number;
  /**
   * A backstop that deletes events by age, should nobody trim them: at least 48 h, so that it never undercuts what is
   * trimmed by count and age here. In milliseconds. @defaultValue none
   */
  readonly eventsMaxAgeMs?: number;

  /** How long `open` tries, in milliseconds. @defaultValue 30_000 */
  readonly openTimeoutMs?: number;
  /** Of one call, in milliseconds. @defaultValue 2_000 */
  readonly callTimeoutMs?: number;
  /** From one look at the head to the next, in milliseconds. @defaultValue 1_000 */
  readonly pollEveryMs?: number;
  /** How long a write waits for an engine that is away, in milliseconds; 0 fails at once. @defaultValue 0 */
  readonly writeWaitMs?: number;
  /** @defaultValue says nothing */
  readonly logger?: Logger;
}

/** One of the two streams: an order of its own. */
export interface StreamSpec {
  readonly name: string;
  readonly subjects: Subjects;
  readonly maxBytes: number | undefined;
  readonly maxAgeMs: number | undefined;
}

export interface NatsSettings {
  readonly given: NatsJournalOptions;
  readonly servers: readonly string[];
  readonly state: StreamSpec;
  readonly events: StreamSpec;
  readonly storage: "file" | "memory";
  readonly replicas: number | undefined;
  readonly openTimeoutMs: number;
  readonly callTimeoutMs: number;
  readonly pollEveryMs: number;
  readonly writeWaitMs: number;
  readonly logger: Logger;
}

const MIN_EVENTS_AGE_MS = 48 * 3_600_000;
const NAME = /^[A-Za-z0-9_-]{1,64}$/;
const PREFIX = /^[A-Za-z0-9_-]{1,64}(\.[A-Za-z0-9_-]{1,64})*$/;

/** All there are, for callers without types. */
const OPTIONS: Readonly<Record<keyof NatsJournalOptions, true>> = {
  servers: true,
  user: true,
  pass: true,
  token: true,
  credentials: true,
  tls: true,
  name: true,
  subjectPrefix: true,
  stateStream: true,
  eventsStream: true,
  replicas: true,
  storage: true,
  stateMaxBytes: true,
  eventsMaxBytes: true,
  eventsMaxAgeMs: true,
  openTimeoutMs: true,
  callTimeoutMs: true,
  pollEveryMs: true,
  writeWaitMs: true,
  logger: true,
};

/** @throws {@link SnapwireError} `invalid-input` */
export function natsSettings(given: NatsJournalOptions = {}): NatsSettings {
  const {
    subjectPrefix = "snapwire",
    stateStream = "SNAPWIRE_STATE",
    eventsStream = "SNAPWIRE_EVENTS",
  } = given;
  const refuse = (message: string): never => {
    throw new SnapwireError("invalid-input", message);
  };
  for (const key of Object.keys(given))
    if (!Object.hasOwn(OPTIONS, key))
      refuse(
        `The journal has no option ${JSON.stringify(key)}. There are: ${Object.keys(OPTIONS).join(", ")}.`,
      );
  if (!PREFIX.test(subjectPrefix) || subjectPrefix.startsWith("$"))
    refuse(`subjectPrefix must be words with dots between them, not ${JSON.stringify(subjectPrefix)}.`);
  for (const name of [stateStream, eventsStream])
    if (!NAME.test(name))
      refuse(`The name of a stream has letters, digits, - and _ only, not ${JSON.stringify(name)}.`);
  if (stateStream === eventsStream) refuse("State and events need a stream each: give them two names.");
  const { replicas, eventsMaxAgeMs } = given;
  if (replicas !== undefined && ![1, 2, 3, 4, 5].includes(replicas))
    refuse(`replicas must be from 1 to 5, and 3 or 5 to survive the loss of a server, not ${replicas}.`);
  if (eventsMaxAgeMs !== undefined && eventsMaxAgeMs < MIN_EVENTS_AGE_MS)
    refuse(`eventsMaxAgeMs is a backstop: at least ${MIN_EVENTS_AGE_MS} (48 h), not ${eventsMaxAgeMs}.`);
  const servers = typeof given.servers === "string" ? given.servers.split(",") : given.servers;
  if (servers?.some((server) => server.includes("?")))
    refuse(
      "A server is nats://host:4222 or tls://host:4222. What stands behind a question mark is an option of its own, or " +
        "give the whole url to natsOptionsFromUrl.",
    );
  return {
    given,
    servers:
      servers && servers.length > 0 ? servers.map((server) => server.trim()) : ["nats://127.0.0.1:4222"],
    state: {
      name: stateStream,
      subjects: subjectsOf(subjectPrefix, "s"),
      maxBytes: given.stateMaxBytes,
      maxAgeMs: undefined,
    },
    events: {
      name: eventsStream,
      subjects: subjectsOf(subjectPrefix, "e"),
      maxBytes: given.eventsMaxBytes,
      maxAgeMs: eventsMaxAgeMs,
    },
    storage: given.storage ?? "file",
    replicas,
    openTimeoutMs: given.openTimeoutMs ?? 30_000,
    callTimeoutMs: given.callTimeoutMs ?? 2_000,
    pollEveryMs: given.pollEveryMs ?? 1_000,
    writeWaitMs: given.writeWaitMs ?? 0,
    logger: given.logger ?? silentLogger,
  };
}
