/** Opens and closes what the engine consists of: one connection, and two streams that are followed and written. */
import { setTimeout as delay } from "node:timers/promises";
import { deadlineOf } from "../../deadline.ts";
import { SnapwireError } from "../../protocol/errors.ts";
import { type Journal, type JournalLog, JournalUnavailable } from "../journal.ts";
import { type StreamCalls, wordsOf } from "./api.ts";
import { type NatsLink, openLink, waitingSaid } from "./connection.ts";
import { currentEpoch } from "./epoch.ts";
import { StreamFollower } from "./follower.ts";
import { natsLog, type StreamSession } from "./log.ts";
import { type NatsJournalOptions, type NatsSettings, natsSettings, type StreamSpec } from "./options.ts";
import { loadNatsPackages, type NatsPackages } from "./packages.ts";
import { ensureStream } from "./streams.ts";
import { assertCollection } from "./subjects.ts";
import { StreamWatch } from "./watch.ts";
import { StreamWriter } from "./writer.ts";

/** Collections whose records are each of a key of its own, and are trimmed. */
const EVENTS = "events";
const RETRY_MS = 250;

/** Stands between the engine and the servers. */
export type Through = (calls: StreamCalls) => StreamCalls;

interface Open {
  readonly link: NatsLink;
  readonly state: StreamSession;
  readonly events: StreamSession;
}

/**
 * @param through - What every call passes through: a test lets it lose answers.
 * @param as - What the servers are taken for, whatever they say.
 */
export function natsEngine(
  options: NatsJournalOptions,
  through: Through = (calls) => calls,
  as: { readonly fragile?: boolean } = {},
): Journal {
  const settings = natsSettings(options);
  const logs = new Map<string, JournalLog>();
  let opened: Open | undefined;
  let opening: Promise<void> | undefined;
  let giveUp = new AbortController();

  const sessionOf = (collection: string) => (): StreamSession => {
    if (!opened) throw new JournalUnavailable("the journal is closed", { inDoubt: false });
    return collection === EVENTS ? opened.events : opened.state;
  };

  return {
    engine: "nats",
    durable: settings.storage === "file",
    shared: true,
    open: () => {
      opening ??= (async () => {
        giveUp = new AbortController();
        const deadline = deadlineOf(settings.openTimeoutMs, giveUp.signal);
        try {
          opened = await openAll(settings, deadline.signal, through, as.fragile);
        } finally {
          deadline[Symbol.dispose]();
        }
      })().catch((error: unknown) => {
        opening = undefined;
        throw error;
      });
      return opening;
    },
    log: (collection) => {
      const known = logs.get(collection);
      if (known) return known;
      assertCollection(collection);
      const log = natsLog({
        collection,
        session: sessionOf(collection),
        followTimeoutMs: settings.openTimeoutMs,
      });
      logs.set(collection, log);
      return log;
    },
    close: async () => {
      giveUp.abort();
      await opening?.catch(() => undefined);
      opening = undefined;
      const closing = opened;
      opened = undefined;
      if (closing) await closeAll(closing);
    },
  };
}

/** @throws {@link SnapwireError} `unavailable` after the deadline; what waiting does not help with at once. */
async function openAll(
  settings: NatsSettings,
  deadline: AbortSignal,
  through: Through,
  fragile: boolean | undefined,
): Promise<Open> {
  const packages = await loadNatsPackages();
  const link = await openLink(settings, packages, deadline, fragile);
  const parts = { settings, link, packages, api: through(link.api) };
  const sayWaiting = waitingSaid(settings.logger);
  for (;;) {
    const sessions: StreamSession[] = [];
    try {
      const state = await openSession(settings.state, parts);
      sessions.push(state);
      const events = await openSession(settings.events, parts);
      sessions.push(events);
      for (const { watch } of sessions) watch.start();
      return { link, state, events };
    } catch (error) {
      for (const { follower } of sessions) follower.stop();
      if (error instanceof SnapwireError) {
        await link.close();
        throw error;
      }
      if (deadline.aborted)
        throw await closed(link, `NATS answers, but JetStream cannot be used: ${wordsOf(error)}`, error);
      if (isForGood(error))
        throw await closed(link, `JetStream cannot be used as it is asked for: ${wordsOf(error)}`, error);
      sayWaiting(error);
    }
    await delay(RETRY_MS);
  }
}

async function closed(link: NatsLink, message: string, cause: unknown): Promise<SnapwireError> {
  await link.close();
  return new SnapwireError("unavailable", message, { cause });
}

/** More copies than there are servers; subjects that another stream has. */
const FOR_GOOD = [10_074, 10_065];

/** What waiting does not help with. */
function isForGood(error: unknown): boolean {
  const cause = error instanceof Error ? error.cause : undefined;
  return (
    typeof cause === "object" && cause !== null && "code" in cause && FOR_GOOD.includes(Number(cause.code))
  );
}

interface Parts {
  readonly settings: NatsSettings;
  readonly link: NatsLink;
  readonly packages: NatsPackages;
  readonly api: StreamCalls;
}

async function openSession(
  spec: StreamSpec,
  { settings, link, packages, api }: Parts,
): Promise<StreamSession> {
  const { logger } = settings;
  const replicas = settings.replicas ?? (link.clustered ? 3 : 1);
  const ensure = () => ensureStream(spec, { api, settings, packages, replicas });
  const { created } = await ensure();
  const follower = new StreamFollower({ api, spec, logger, onSuspicion: () => watch.suspect() });
  const watch = new StreamWatch(
    {
      api,
      spec,
      follower,
      logger,
      everyMs: settings.pollEveryMs,
      connected: () => link.connected,
      leave: link.leave,
      recreate: ensure,
    },
    created,
  );
  try {
    await follower.start(await currentEpoch({ api, spec }));
    await follower.mark(); // shows that it may write
    const now = await currentEpoch({ api, spec });
    if (now !== follower.epoch) await follower.restart(now);
  } catch (error) {
    follower.stop();
    throw error;
  }
  link.onChange(() => watch.suspect());
  const writer = new StreamWriter({ api, spec, follower, watch, writeWaitMs: settings.writeWaitMs });
  return { api, spec, follower, watch, writer };
}

async function closeAll({ link, state, events }: Open): Promise<void> {
  for (const { follower } of [state, events]) follower.stop();
  await Promise.all([state.watch.stop(), events.watch.stop(), link.close()]);
}
