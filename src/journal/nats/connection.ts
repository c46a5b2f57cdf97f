/** The connection to the servers: made within a deadline, then kept for ever. */
import { setTimeout as delay } from "node:timers/promises";
import type { ConnectionOptions, NatsConnection } from "@nats-io/transport-node";
import type { Logger } from "../../log.ts";
import { SnapwireError } from "../../protocol/errors.ts";
import { NatsApi, wordsOf } from "./api.ts";
import type { NatsSettings } from "./options.ts";
import type { NatsPackages } from "./packages.ts";
import { compareVersions, isFragile } from "./version.ts";

export interface NatsLink {
  readonly api: NatsApi;
  /** Of the server that it is connected to, or was last. */
  readonly version: string;
  readonly clustered: boolean;
  readonly connected: boolean;
  /** Called when the connection was lost, and when it is there again. @returns how to stop */
  onChange(listener: () => void): () => void;
  /** Leaves a server that does not answer; one that does, while a stream has no leader, is kept. */
  leave(): void;
  close(): Promise<void>;
}

const PING_EVERY_MS = 2_000;
const PINGS_OUT = 2;
const RECONNECT_MS = 150;
const RETRY_MS = 250;
/** From one wish to leave a silent server to the next, in milliseconds. */
const LEAVE_EVERY_MS = 3_000;
const SAY_EVERY_MS = 10_000;
/** A record of the largest size, and its headers. */
const LEAST_PAYLOAD = 520 * 1024;
/** What is needed of a server: reading the next message of a sequence from any replica. */
const OLDEST = "2.9.0";

/** The options of the client; its own would give up for good after 20 s, and see a silent server after 4 minutes. */
export function connectionOptions(settings: NatsSettings, { transport }: NatsPackages): ConnectionOptions {
  const { given, servers, callTimeoutMs } = settings;
  const { user, pass, token, credentials, tls, name = "snapwire" } = given;
  const bytes = typeof credentials === "string" ? new TextEncoder().encode(credentials) : credentials;
  return {
    servers: [...servers],
    name,
    maxReconnectAttempts: -1,
    reconnectTimeWait: RECONNECT_MS,
    reconnectJitter: RECONNECT_MS,
    pingInterval: PING_EVERY_MS,
    maxPingOut: PINGS_OUT,
    timeout: callTimeoutMs,
    ignoreAuthErrorAbort: true,
    noAsyncTraces: true,
    ...(user === undefined ? {} : { user }),
    ...(pass === undefined ? {} : { pass }),
    ...(token === undefined ? {} : { token }),
    ...(bytes === undefined ? {} : { authenticator: transport.credsAuthenticator(bytes) }),
    ...(tls === undefined ? {} : { tls }),
  };
}

/** @throws {@link SnapwireError} `unavailable` when no server takes it in time; at once when it refuses who we are. */
export async function openLink(
  settings: NatsSettings,
  packages: NatsPackages,
  signal: AbortSignal,
  takenForFragile?: boolean,
): Promise<NatsLink> {
  const options = connectionOptions(settings, packages);
  const sayWaiting = waitingSaid(settings.logger);
  for (;;) {
    try {
      return await linkOver(await packages.transport.connect(options), settings, packages, takenForFragile);
    } catch (error) {
      if (error instanceof SnapwireError) throw error;
      const where = settings.servers.map(withoutSecret).join(", ");
      if ((error as Error).name === "AuthorizationError")
        throw new SnapwireError(
          "unavailable",
          `NATS at ${where} refuses these credentials: ${wordsOf(error)}`,
          {
            cause: error,
          },
        );
      if (signal.aborted)
        throw new SnapwireError("unavailable", `NATS cannot be reached at ${where}: ${wordsOf(error)}`, {
          cause: error,
        });
      sayWaiting(error, where);
    }
    await delay(RETRY_MS, undefined, { signal }).catch(() => undefined);
  }
}

/** Says at once, and then every ten seconds, what is waited for. */
export function waitingSaid(logger: Logger): (error: unknown, where?: string) => void {
  let saidAt = Number.NEGATIVE_INFINITY;
  return (error, where) => {
    if (performance.now() - saidAt < SAY_EVERY_MS) return;
    saidAt = performance.now();
    logger.warn({ ...(where !== undefined && { where }), why: wordsOf(error) }, "waiting for the journal");
  };
}

async function linkOver(
  nc: NatsConnection,
  settings: NatsSettings,
  packages: NatsPackages,
  takenForFragile: boolean | undefined,
): Promise<NatsLink> {
  const { info } = nc;
  if (!info || compareVersions(info.version, OLDEST) < 0) {
    await nc.close();
    throw new SnapwireError(
      "unavailable",
      `The NATS server is version ${info?.version ?? "unknown"}; 2.9 is the oldest that this engine can use.`,
    );
  }
  if (info.max_payload < LEAST_PAYLOAD) {
    await nc.close();
    throw new SnapwireError(
      "unavailable",
      `The NATS server takes messages of ${info.max_payload} bytes at most; a record may have 512 KiB. Set its max_payload to 1MB (its default).`,
    );
  }
  const fragile = takenForFragile ?? (info.cluster !== undefined && isFragile(info.version));
  if (fragile)
    settings.logger.warn(
      { version: info.version },
      "copies of a stream on servers of this version can come to differ: use 2.10.19 or newer in a cluster",
    );
  const listeners = new Set<() => void>();
  let connected = true;
  let leftAt = Number.NEGATIVE_INFINITY;
  const jetstream = { timeout: settings.callTimeoutMs, checkAPI: false };
  const change = (now: boolean): void => {
    connected = now;
    for (const listener of listeners) listener();
  };
  void (async () => {
    for await (const { type } of nc.status()) {
      if (type === "disconnect" || type === "close") change(false);
      if (type === "reconnect") change(true);
    }
  })().catch((error: unknown) =>
    settings.logger.error({ error }, "the state of the connection is not known any more"),
  );
  return {
    api: new NatsApi(nc, {
      js: packages.jetstream.jetstream(nc, jetstream),
      jsm: await packages.jetstream.jetstreamManager(nc, jetstream),
      packages,
      timeout: settings.callTimeoutMs,
      fragile,
    }),
    get version() {
      return nc.info?.version ?? info.version;
    },
    clustered: info.cluster !== undefined,
    get connected() {
      return connected && !nc.isClosed();
    },
    onChange: (listener) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    leave: () => {
      if (nc.isClosed() || performance.now() - leftAt < LEAVE_EVERY_MS) return;
      leftAt = performance.now();
      const silence = delay(settings.callTimeoutMs, "silent" as const, { ref: false });
      void Promise.race([nc.flush(), silence])
        .then((answer) => (answer === "silent" ? nc.reconnect() : undefined))
        .catch(() => undefined); // it is at it already
    },
    close: async () => {
      listeners.clear();
      await nc.close();
    },
  };
}

function withoutSecret(server: string): string {
  return server.replace(/^([a-z]+:\/\/)?[^@/]*@/i, "$1");
}
