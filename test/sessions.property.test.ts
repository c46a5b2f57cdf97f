/** What holds in every order: of sessions, of their news, and of the arrival of both. */
import fc from "fast-check";
import { expect, test } from "vitest";
import type { SessionEntry } from "../src/protocol/sessions.ts";
import {
  ACTIVITY_STATES,
  PENDING_REQUEST_TYPES,
  type PendingRequestType,
  SESSION_PROCESS_STATES,
  SESSION_RUNTIME_PHASES,
} from "../src/protocol/workspace.ts";
import {
  foldSession,
  type SessionOperation,
  type SessionState,
  sessionEntryOf,
} from "../src/sessions/model.ts";
import { sessionSignals } from "../src/sessions/signals.ts";
import { readSessionUpdate, type SessionUpdateInput } from "../src/sessions/update.ts";
import { withSessions } from "./helpers/session-service.ts";
import { until } from "./helpers/store-until.ts";

const T0 = Date.parse("2026-08-01T12:00:00Z");

type News = Omit<SessionUpdateInput, "sessionId">;

const newsOf = (news: News, observedAt: number): SessionOperation => {
  const { facts, lifecycle } = readSessionUpdate({ sessionId: "s", ...news });
  return {
    kind: "news",
    facts,
    lifecycle,
    observedAt,
    clientKey: undefined,
    projectId: "p",
    eventId: `${observedAt}`,
  };
};

function fold(operations: readonly SessionOperation[]): SessionState | undefined {
  let base: Parameters<typeof foldSession>[1];
  for (const operation of operations) base = foldSession("s", base, [operation]).next;
  return base?.state;
}

const anyNews = fc.record(
  {
    activity: fc.constantFrom(...ACTIVITY_STATES, null),
    runtimePhase: fc.constantFrom(...SESSION_RUNTIME_PHASES, null),
    processState: fc.constantFrom(...SESSION_PROCESS_STATES, null),
    pendingRequest: fc.constantFrom(...PENDING_REQUEST_TYPES, null),
    summary: fc.constantFrom("", "a", "b", null),
    errorMessage: fc.constantFrom("it broke", null),
    lifecycle: fc.constantFrom("ended" as const),
  },
  { requiredKeys: [] },
);

/** The same observations in another order, and some of them twice. */
const shuffled = fc.array(anyNews, { minLength: 1, maxLength: 8 }).chain((news) =>
  fc.tuple(
    fc.constant(news),
    fc.shuffledSubarray([...news.keys(), ...news.keys()], {
      minLength: news.length * 2,
      maxLength: news.length * 2,
    }),
  ),
);

test("a session ends in the state that the newest observation of each fact says, in whatever order they arrive", () => {
  fc.assert(
    fc.property(shuffled, ([news, order]) => {
      const operations = news.map((one, n) => newsOf({ workspaceId: "w", ...one }, T0 + n));
      const inOrder = fold(operations);
      const inDisorder = fold(order.map((n) => operations[n] as SessionOperation));
      const shown = (state: SessionState | undefined) => {
        if (!state) return undefined;
        const { updatedAt: _, ...rest } = sessionEntryOf("s", state, 1);
        return rest;
      };
      expect(shown(inDisorder)).toEqual(shown(inOrder));
    }),
    { numRuns: 1_000 },
  );
});

const URGENCY: readonly PendingRequestType[] = ["plan_approval", "user_question", "permission_request"];

const anySession = fc.record({
  pending: fc.option(fc.constantFrom(...PENDING_REQUEST_TYPES), { nil: null }),
  ended: fc.boolean(),
  working: fc.boolean(),
  running: fc.boolean(),
});

test("the pending request of a workspace is the most urgent one of its live sessions, in any order of sessions", () => {
  fc.assert(
    fc.property(
      fc
        .array(anySession, { maxLength: 6 })
        .chain((list) =>
          fc.tuple(fc.constant(list), fc.shuffledSubarray([...list.keys()], { minLength: list.length })),
        ),
      ([list, order]) => {
        const entries = list.map(({ pending, ended, working, running }, n): SessionEntry => {
          const state = fold([
            newsOf(
              {
                workspaceId: "w",
                pendingRequest: pending,
                activity: working ? "WORKING" : "IDLE",
                runtimePhase: running ? "running" : "idle",
              },
              T0 + n,
            ),
            ...(ended ? [newsOf({ lifecycle: "ended" }, T0 + 100 + n)] : []),
          ]);
          if (!state) throw new Error("a session that was told of");
          return sessionEntryOf(`s${n}`, state, n + 1);
        });
        const signals = sessionSignals(order.map((n) => entries[n] as SessionEntry));
        const live = list.filter(({ ended }) => !ended);
        expect(signals.pendingRequestType).toBe(
          URGENCY.find((type) => live.some(({ pending }) => pending === type)) ?? null,
        );
        expect(signals.isWorking).toBe(live.some(({ working, running }) => working || running));
        expect(signals, "the order of the sessions says nothing").toEqual(sessionSignals(entries));
      },
    ),
    { numRuns: 1_000 },
  );
});

const step = fc.record({ session: fc.integer({ min: 0, max: 3 }), news: anyNews, yields: fc.boolean() });

test("when writers pause, the entry says what its sessions say", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 12 }), async (steps) => {
      await using service = await withSessions();
      const writes: Promise<unknown>[] = [];
      for (const { session, news, yields } of steps) {
        const write = service.begin(`s${session}`, news);
        writes.push(write);
        if (yields) await write;
      }
      await Promise.all(writes);
      const ids = ["s0", "s1", "s2", "s3"];
      const expected = sessionSignals(ids.flatMap((id) => service.sessions.get(id) ?? []));
      await until(() =>
        expect(service.live.workspaces.getByWorkspaceId("w")).toMatchObject({
          ...expected,
          hasHadSessions: true,
        }),
      );
    }),
    { numRuns: 40 },
  );
});
