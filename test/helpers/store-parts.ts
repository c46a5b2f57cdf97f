/** What the tests of the store and of its sources stand on: a clock, a log and a journal that can be looked into. */
import {
  createMemoryJournal,
  createSnapwire,
  type Journal,
  type JournalAppend,
  type JournalLog,
  JournalUnavailable,
  type Logger,
  SNAPSHOT_CHANGED,
  SNAPSHOT_REMOVED,
  type Snapwire,
  type SnapwireOptions,
} from "../../src/index.ts";

export const NOON = Date.parse("2026-08-01T12:00:00Z");

/** A system clock that stands still until it is set; it may be set back. */
export function handClock(at = NOON) {
  const clock = {
    at,
    now: () => clock.at,
    advance: (ms: number) => {
      clock.at += ms;
    },
  };
  return clock;
}

export interface LogLine {
  readonly level: "debug" | "info" | "warn" | "error";
  readonly facts: Readonly<Record<string, unknown>>;
  readonly message: string;
}

export function keptLog() {
  const lines: LogLine[] = [];
  const at =
    (level: LogLine["level"]) =>
    (facts: object, message: string): void =>
      void lines.push({ level, facts: facts as Record<string, unknown>, message });
  const logger: Logger = { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
  return {
    logger,
    lines,
    said: (pattern: RegExp) => lines.filter(({ message }) => pattern.test(message)),
    loud: () => lines.filter(({ level }) => level === "warn" || level === "error"),
  };
}

/** The memory engine, with each append counted; it can be made to wait or to refuse. */
export function countedJournal() {
  const inner = createMemoryJournal();
  const appended: JournalAppend[] = [];
  let gate: Promise<void> | undefined;
  let away = false;
  const wrap = (log: JournalLog): JournalLog => ({
    follow: (sink) => log.follow(sink),
    append: async (append) => {
      if (gate) await gate;
      if (away) throw new JournalUnavailable("the engine is away", { inDoubt: false });
      appended.push(append);
      return log.append(append);
    },
    head: () => log.head(),
    raiseFloor: (scope, floor) => log.raiseFloor(scope, floor),
    dropFloor: (scope) => log.dropFloor(scope),
    dropRecords: (records) => log.dropRecords(records),
  });
  const journal: Journal = { ...inner, log: (collection) => wrap(inner.log(collection)) };
  return {
    journal,
    appended,
    /** Appends wait until the answer is called. */
    hold() {
      const held = latch();
      gate = held.promise;
      return () => {
        gate = undefined;
        held.open();
      };
    },
    setAway: (value: boolean) => {
      away = value;
    },
  };
}

/** Resolves when the test says so. */
export function latch<T = void>() {
  let open: (value: T) => void = () => undefined;
  let fail: (error: unknown) => void = () => undefined;
  const promise = new Promise<T>((resolve, reject) => {
    open = resolve;
    fail = reject;
  });
  return { promise, open, fail };
}

export type Heard =
  | {
      readonly type: "changed";
      readonly workspaceId: string;
      readonly projectId: string;
      readonly version: number;
    }
  | { readonly type: "removed"; readonly workspaceId: string; readonly projectId: string };

/** Everything that the store tells its listeners, in order. */
function hear(live: Snapwire): Heard[] {
  const heard: Heard[] = [];
  live.workspaces.on(SNAPSHOT_CHANGED, ({ workspaceId, projectId, entry }) => {
    heard.push({ type: "changed", workspaceId, projectId, version: entry.version });
  });
  live.workspaces.on(SNAPSHOT_REMOVED, ({ workspaceId, projectId }) => {
    heard.push({ type: "removed", workspaceId, projectId });
  });
  return heard;
}

/** A service with everything that a test looks into. It is not started. */
export function prepared(options: SnapwireOptions = {}) {
  const log = keptLog();
  const counted = countedJournal();
  const live = createSnapwire({ journal: counted.journal, logger: log.logger, ...options });
  return {
    live,
    log,
    heard: hear(live),
    journal: counted.journal,
    appended: counted.appended,
    holdJournal: counted.hold,
    setJournalAway: counted.setAway,
    [Symbol.asyncDispose]: () => live.stop(),
  };
}

export async function running(options: SnapwireOptions = {}) {
  const parts = prepared(options);
  await parts.live.start();
  return parts;
}

/** What went wrong, by the reason that callers branch on. */
export async function reasonFrom(attempt: Promise<unknown>): Promise<string> {
  try {
    await attempt;
  } catch (error) {
    return (error as { reason?: string }).reason ?? `without a reason: ${String(error)}`;
  }
  return "no refusal";
}
