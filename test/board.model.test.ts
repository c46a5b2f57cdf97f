/** What the board says, without a browser: words, order, ages, freshness. Pure functions. */
import { describe, expect, test } from "vitest";
import { eventRow, filtered, rowOf, withEvents } from "../client/board/feed/event-list.ts";
import { clockTime, counted, longAge, shortAge } from "../client/board/model/age.ts";
import { cardOf, sessionMark } from "../client/board/model/card.ts";
import { changeWords, difference, fieldChanges, isVisibleChange } from "../client/board/model/changes.ts";
import { columnsOf, matches, tallyOf, wordsOf } from "../client/board/model/columns.ts";
import { freshnessOf, type Standing, worstOf } from "../client/board/model/freshness.ts";
import { stepFrom } from "../client/board/model/steps.ts";
import { areaBelow, lagOf, rateOf, ratesOf, sparkline, withSample } from "../client/board/ops/samples.ts";
import { keepToken, tokenOf } from "../client/board/store/token.ts";
import { addressOf, placeOf } from "../client/board/ui/address.ts";
import type { SnapwireStats } from "../src/health.ts";
import type { WorkspaceEntry } from "../src/protocol/workspace.ts";
import { workspaceModel } from "../src/workspace/index.ts";
import { STATUS_REASONS } from "../src/workspace/status-reason.ts";
import { team } from "./helpers/board-world.ts";

const NOW = Date.parse("2026-03-02T14:02:30Z");

/** The team of the browser tests, as the real model makes entries of it. */
const all = team("atlas", NOW).map(([id, patch], index): WorkspaceEntry => {
  const { state } = workspaceModel.fold(undefined, workspaceModel.parsePatch(patch), { observedAt: NOW });
  const meta = { version: index + 1, computedAt: new Date(NOW).toISOString(), source: "event:test" };
  return workspaceModel.entryOf(id, state, meta);
});
const entry = (id: string): WorkspaceEntry => {
  const found = all.find(({ workspaceId }) => workspaceId === id);
  if (!found) throw new Error(`no entry ${id}`);
  return found;
};

describe("a card", () => {
  test("is amber for attention and danger, and for nothing else", () => {
    for (const reason of Object.values(STATUS_REASONS)) {
      const { voice, danger } = cardOf({ ...entry("idle-idea"), statusReason: reason });
      expect([reason.code, voice === "loud"]).toEqual([
        reason.code,
        ["attention", "danger"].includes(reason.tone),
      ]);
      expect([reason.code, danger]).toEqual([reason.code, reason.tone === "danger"]);
    }
  });

  test("says quietly that it is your turn when a person owns the next step", () => {
    expect(cardOf(entry("idle-idea")).voice).toBe("your-turn");
    expect(cardOf(entry("csv-import")).voice).toBe("your-turn");
    expect(cardOf(entry("pagination")).voice).toBe("done");
    expect(cardOf(entry("rate-limits")).voice).toBe("working");
  });

  test("is made once for an entry", () => {
    expect(cardOf(entry("login-form"))).toBe(cardOf(entry("login-form")));
  });

  test("shows the session that matters most: an error before work, work before rest", () => {
    const [working] = entry("login-form").sessionSummaries;
    const [broken] = entry("old-sessions").sessionSummaries;
    if (!working || !broken) throw new Error("no sessions");
    expect(sessionMark([])).toBeUndefined();
    expect(sessionMark([working])).toMatchObject({ kind: "running", glyph: "working" });
    expect(sessionMark([working, broken])).toMatchObject({
      kind: "bad",
      glyph: "2 · error",
      words: "2 sessions: 1 error, 1 working",
    });
  });

  test("is found by every word of name, branch, reason and pull request, in any order", () => {
    const card = cardOf(entry("csv-import"));
    for (const query of ["csv", "IMPORT csv", "feature/csv", "ready #117", "approved", ""])
      expect([query, matches(card, wordsOf(query))]).toEqual([query, true]);
    expect(matches(card, wordsOf("csv parser"))).toBe(false);
  });
});

describe("columns", () => {
  test("hold every entry once, newest activity first", () => {
    const columns = columnsOf(all);
    const cards = [...columns.WORKING, ...columns.WAITING, ...columns.DONE];
    expect(cards.map(({ id }) => id).sort()).toEqual(all.map(({ workspaceId }) => workspaceId).sort());
    for (const column of Object.values(columns)) {
      const times = (column as typeof cards).map(({ activeAt }) => activeAt ?? 0);
      expect(times).toEqual([...times].sort((a, b) => b - a));
    }
    expect(tallyOf(all)).toEqual({ working: 5, yourTurn: 4, loud: 3 });
  });

  test("leave out what is off the board", () => {
    expect(columnsOf([{ ...entry("login-form"), kanbanColumn: null }]).WORKING).toEqual([]);
  });

  test("do not depend on the order in which entries came", () => {
    const ids = (list: readonly WorkspaceEntry[]) => columnsOf(list).WAITING.map(({ id }) => id);
    expect(ids([...all].reverse())).toEqual(ids(all));
  });

  test("are walked by steps that end at their ends and step over an empty one", () => {
    const columns = { ...columnsOf(all), WAITING: [] };
    const first = columns.WORKING[0];
    expect(stepFrom(columns, undefined, "down")).toBe(first);
    expect(stepFrom(columns, first?.id, "up")).toBeUndefined();
    expect(stepFrom(columns, first?.id, "right")).toBe(columns.DONE[0]);
    expect(stepFrom(columns, columns.WORKING.at(-1)?.id, "right")).toBe(columns.DONE.at(-1));
    expect(stepFrom(columns, columns.DONE[0]?.id, "left")).toBe(first);
    expect(stepFrom(columns, first?.id, "last")).toBe(columns.WORKING.at(-1));
    expect(stepFrom({ WORKING: [], WAITING: [], DONE: [] }, "x", "down")).toBeUndefined();
  });
});

describe("a change", () => {
  const before = entry("login-form");

  test("is not one when only version, source and stamps differ", () => {
    const again = {
      ...before,
      version: before.version + 1,
      computedAt: "2026-03-02T15:00:00Z",
      source: "reconciliation",
      fieldTimestamps: { ...before.fieldTimestamps, session: NOW },
    };
    expect(isVisibleChange(before, again)).toBe(false);
    const moved = difference(new Map([["a", before]]), new Map([["a", again]]), NOW);
    expect(moved).toEqual({ changes: [], touched: [] });
  });

  test("is told field by field, in words", () => {
    const after: WorkspaceEntry = {
      ...before,
      prCiStatus: "FAILURE",
      pendingRequestType: "user_question",
      statusReason: STATUS_REASONS.NEEDS_ANSWER,
    };
    expect(fieldChanges(before, after)).toEqual([
      { field: "status", from: "Agent working", to: "Needs an answer" },
      { field: "CI", from: "unknown", to: "failure" },
      { field: "waits for", from: "nothing", to: "user question" },
    ]);
  });

  test("is also that something came or left", () => {
    const other = entry("csv-import");
    const { changes, touched } = difference(new Map([["a", before]]), new Map([["b", other]]), NOW);
    expect(changes.map((change) => `${change.name} ${changeWords(change)}`)).toEqual([
      "CSV import appeared",
      "Login form left the board",
    ]);
    expect(touched).toEqual(["b"]);
  });
});

describe("freshness", () => {
  const live: Standing = {
    status: "live",
    reason: undefined,
    detail: undefined,
    complete: true,
    staleSince: undefined,
    nextAttemptAt: undefined,
    caughtUp: undefined,
  };
  const lost = NOW - 60_000;
  const since = clockTime(lost, NOW);
  const word = (standing: Partial<Standing>): string => freshnessOf({ ...live, ...standing }, NOW).word;

  test("is one word for each state", () => {
    expect(word({})).toBe("Live");
    expect(word({ status: "connecting" })).toBe("Connecting…");
    expect(word({ status: "reconnecting", nextAttemptAt: NOW + 2_400 })).toBe("Reconnecting in 3 s");
    expect(word({ status: "reconnecting", nextAttemptAt: NOW - 5 })).toBe("Reconnecting in 1 s");
    expect(word({ status: "reconnecting" })).toBe("Reconnecting…");
    expect(word({ status: "offline", staleSince: lost })).toBe(`Stale since ${since}`);
    expect(word({ status: "stale", staleSince: lost })).toBe(`Stale since ${since}`);
    expect(word({ status: "catching-up" })).toBe("Catching up");
    expect(word({ status: "denied", reason: "unauthorized" })).toBe("Denied");
    expect(word({ status: "ended", reason: "revoked" })).toBe("Denied");
    expect(word({ status: "ended", reason: "project-gone" })).toBe("Ended");
  });

  test("dims everything that may be old, and nothing that is live", () => {
    const statuses = [
      "live",
      "connecting",
      "catching-up",
      "stale",
      "reconnecting",
      "offline",
      "denied",
      "ended",
    ] as const;
    const dimmed = statuses.filter((status) => freshnessOf({ ...live, status }, NOW).dimmed);
    expect(dimmed).toEqual(["catching-up", "stale", "reconnecting", "offline", "denied", "ended"]);
  });

  test("says what an interruption missed, for a while", () => {
    const sentence = (changes: number, at: number) =>
      freshnessOf({ ...live, caughtUp: { at, changes } }, NOW).sentence;
    expect(sentence(12, NOW - 1_000)).toBe("Caught up, 12 changes.");
    expect(sentence(1, NOW)).toBe("Caught up, 1 change.");
    expect(sentence(0, NOW)).toBe("Caught up, nothing changed.");
    expect(sentence(12, NOW - 60_000)).toBeUndefined();
  });

  test("says that more may come while the first look goes on", () => {
    expect(freshnessOf({ ...live, complete: false }, NOW).sentence).toContain("more may come");
  });

  test("of several projects is that of the worst", () => {
    const of = (...statuses: Standing["status"][]) =>
      worstOf(statuses.map((status) => ({ ...live, status })))?.status;
    expect(of("live", "reconnecting", "live")).toBe("reconnecting");
    expect(of("offline", "denied")).toBe("denied");
    expect(of("live", "catching-up")).toBe("catching-up");
    expect(worstOf([])).toBeUndefined();
  });
});

test("ages are short on a card and whole in a sentence, and a clock that is ahead is now", () => {
  const minute = 60_000;
  const ages = [
    0,
    -5,
    59_000,
    minute,
    61 * minute,
    25 * 60 * minute,
    20 * 1_440 * minute,
    800 * 1_440 * minute,
  ];
  expect(ages.map((age) => shortAge(NOW - age, NOW))).toEqual([
    "now",
    "now",
    "now",
    "1 min",
    "1 h",
    "1 d",
    "2 wk",
    "2 y",
  ]);
  expect(ages.slice(2, 6).map((age) => longAge(NOW - age, NOW))).toEqual([
    "59 seconds ago",
    "1 minute ago",
    "1 hour ago",
    "1 day ago",
  ]);
  expect([shortAge(undefined, NOW), longAge(undefined, NOW)]).toEqual(["", "never"]);
  expect(counted(1_234_567, "change")).toBe("1,234,567 changes");
});

describe("the token", () => {
  const place = (hash: string, kept: string | null = null) => {
    const replaced: string[] = [];
    const stored = new Map(kept === null ? [] : [["snapwire-token", kept]]);
    const keeper = keepToken({
      location: { hash, pathname: "/ops", search: "?project=a" },
      history: { state: null, replaceState: (_state, _title, url) => void replaced.push(String(url)) },
      storage: {
        getItem: (key) => stored.get(key) ?? null,
        setItem: (key, value) => void stored.set(key, value),
        removeItem: (key) => void stored.delete(key),
      },
    });
    return { keeper, replaced, stored };
  };

  test("comes from the address, and leaves it", () => {
    const { keeper, replaced, stored } = place("#token=swt_a", "swt_old");
    expect([keeper.get(), replaced, stored.get("snapwire-token")]).toEqual([
      "swt_a",
      ["/ops?project=a"],
      "swt_a",
    ]);
  });

  test("comes from the tab, and the address is not touched", () => {
    const { keeper, replaced } = place("", "swt_kept");
    expect([keeper.get(), replaced]).toEqual(["swt_kept", []]);
    keeper.set("");
    expect(keeper.get()).toBeUndefined();
  });

  test("lives as long as the page where storage is forbidden", () => {
    const forbidden = (): never => {
      throw new Error("SecurityError");
    };
    const keeper = keepToken({
      location: { hash: "#token=swt_a", pathname: "/", search: "" },
      history: { state: null, replaceState: () => {} },
      storage: { getItem: forbidden, setItem: forbidden, removeItem: forbidden },
    });
    expect(keeper.get()).toBe("swt_a");
  });

  test("is read from a fragment of any order, and only from there", () => {
    expect([tokenOf("#a=1&token=x"), tokenOf("#token="), tokenOf("#nothing"), tokenOf("")]).toEqual([
      "x",
      undefined,
      undefined,
      undefined,
    ]);
  });
});

test("a place and its address say the same", () => {
  const place = { view: "ops", project: "a b", workspace: "a/ü?&" } as const;
  const url = new URL(addressOf(place), "http://x");
  expect(placeOf(url.pathname, url.search)).toEqual(place);
  expect(addressOf({ view: "board", project: undefined, workspace: undefined })).toBe("/");
  expect(placeOf("/anything/else", "").view).toBe("board");
});

describe("the numbers of ops", () => {
  const stats = (deliveries: number): SnapwireStats =>
    ({ deliveries, fulls: {} }) as unknown as SnapwireStats;

  test("grow by so much a second, and begin anew with another life of the server", () => {
    let samples = withSample([], { at: 0, stats: stats(10) });
    expect(rateOf(samples, "deliveries")).toBeUndefined();
    samples = withSample(samples, { at: 2_000, stats: stats(30) });
    samples = withSample(samples, { at: 3_000, stats: stats(30) });
    expect(ratesOf(samples, "deliveries")).toEqual([10, 0]);
    expect(withSample(samples, { at: 4_000, stats: stats(1) })).toHaveLength(1);
  });

  test("are kept for a while, not for ever", () => {
    let samples = withSample([], { at: 0, stats: stats(0) });
    for (let at = 1; at < 1_000; at += 1) samples = withSample(samples, { at, stats: stats(at) });
    expect(samples).toHaveLength(120);
  });

  test("of lag are read from the histogram", () => {
    const metrics = [
      'snapwire_delivery_lag_seconds_bucket{le="0.001"} 50',
      'snapwire_delivery_lag_seconds_bucket{le="0.01"} 99',
      'snapwire_delivery_lag_seconds_bucket{le="+Inf"} 100',
      "snapwire_delivery_lag_seconds_count 100",
    ].join("\n");
    expect(lagOf(metrics)?.p50).toBeCloseTo(1);
    expect(lagOf(metrics)?.p99).toBeCloseTo(10);
    expect(lagOf("snapwire_delivery_lag_seconds_count 0")).toBeUndefined();
    expect(lagOf("")).toBeUndefined();
  });

  test("are drawn from the left edge to the right one", () => {
    expect(sparkline([0, 5, 10])).toBe("M0.0 26.0L50.0 14.0L100.0 2.0");
    expect(areaBelow(sparkline([1]))).toBe("");
  });
});

describe("the event list", () => {
  const event = (id: string, payload: object = { lifecycle: "detected", summary: "Reads" }) =>
    ({
      id,
      type: "session.update",
      timestamp: "2026-03-02T14:00:00Z",
      workspaceId: "atlas/login",
      payload,
    }) as unknown as Parameters<typeof eventRow>[0];

  test("has the newest first, each once, and no more than 500", () => {
    const first = withEvents([], [eventRow(event("a")), eventRow(event("b"))]);
    expect(first.map(({ id }) => id)).toEqual(["b", "a"]);
    expect(withEvents(first, [eventRow(event("a"))])).toBe(first);
    const many = withEvents(
      first,
      Array.from({ length: 900 }, (_, index) => eventRow(event(`n${index}`))),
    );
    expect([many.length, many[0]?.id]).toEqual([500, "n899"]);
  });

  test("says in one line what an event says, ids left out", () => {
    const row = eventRow(event("a", { sessionId: "s", lifecycle: "detected", summary: "Reads the form" }));
    expect(row.words).toBe("Reads the form · lifecycle detected");
    expect(filtered([row], "reads LOGIN")).toEqual([row]);
    expect(filtered([row], "elsewhere")).toEqual([]);
  });

  test("shows a gap as a row, and the state of the connection not at all", () => {
    const frame = (type: string, payload: object) => ({
      id: "tag.7.g",
      data: { type, payload, timestamp: "2026-03-02T14:00:00Z" },
    });
    expect(rowOf(frame("gap", { from: null, to: "tag.7", certain: true }))).toMatchObject({
      kind: "gap",
      words: "Some events are missing here.",
    });
    expect(
      rowOf(frame("connection:status", { status: "connected", head: "tag.7", subscriptions: [] })),
    ).toBeUndefined();
    expect(rowOf({ id: 1, data: { type: 5 } })).toBeUndefined();
    expect(rowOf(null)).toBeUndefined();
  });
});
