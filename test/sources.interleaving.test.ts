/** Many sources, one board: whatever the order in which they are heard, the newest observation of each field is shown. */
import fc from "fast-check";
import { describe, expect, test, vi } from "vitest";
import type { RunScriptStatus } from "../src/protocol/workspace.ts";
import { createSnapwire } from "../src/snapwire.ts";
import type { Source, SourceContext, SourceRow } from "../src/sources/source.ts";

const SHA = "a".repeat(40);
const iso = (ms: number): string => new Date(ms).toISOString();

/** What the outside world is, and who tells of it. Times grow with each step; the telling comes in any order. */
interface World {
  row: { branchName: string; name: string };
  pull: { state: "open" | "closed"; draft: boolean };
  check: "success" | "failure" | "in-progress";
  working: boolean;
  script: RunScriptStatus;
  mode: "STANDARD" | "AUTO_ITERATION";
}

type Change =
  | { readonly git: string }
  | { readonly pull: World["pull"] }
  | { readonly check: World["check"] }
  | { readonly working: boolean }
  | { readonly script: RunScriptStatus }
  | { readonly api: World["mode"] };

const change: fc.Arbitrary<Change> = fc.oneof(
  fc.record({ git: fc.constantFrom("one", "two", "three") }),
  fc.record({
    pull: fc.record({ state: fc.constantFrom("open" as const, "closed" as const), draft: fc.boolean() }),
  }),
  fc.record({ check: fc.constantFrom("success" as const, "failure" as const, "in-progress" as const) }),
  fc.record({ working: fc.boolean() }),
  fc.record({ script: fc.constantFrom<RunScriptStatus>("RUNNING", "COMPLETED", "FAILED") }),
  fc.record({ api: fc.constantFrom("STANDARD" as const, "AUTO_ITERATION" as const) }),
);

async function service() {
  let now = Date.parse("2026-01-01T00:00:00Z");
  const world: World = {
    row: { branchName: "topic", name: "zero" },
    pull: { state: "open", draft: false },
    check: "in-progress",
    working: false,
    script: "IDLE",
    mode: "STANDARD",
  };
  let context: SourceContext | undefined;
  const row = (): SourceRow => ({ workspaceId: "w", projectId: "p", status: "READY", ...world.row });
  const source: Source = {
    name: "git",
    list: () => ["w"],
    read: () => [row()],
    watch: (given) => {
      context = given;
      return { stop: () => undefined };
    },
  };
  const live = createSnapwire({
    now: () => now,
    sources: [source],
    reconcileEveryMs: 3_600_000,
    github: { repositories: () => new Map([["o/r", "p"]]) },
  });
  await live.start();
  await vi.waitFor(() => expect(live.complete("p")).toBe(true));
  return {
    live,
    world,
    row,
    tick: () => (now += 1_000),
    git: () => context,
    [Symbol.asyncDispose]: () => live.stop(),
  };
}

describe("any interleaving of git, GitHub, sessions, run scripts, callers and reconciliation", () => {
  test("ends in what the newest observation of each field says", async () => {
    let deliveries = 0;
    const program = fc.array(fc.tuple(change, fc.nat(9)), { minLength: 1, maxLength: 14 });
    const check = async (changes: readonly (readonly [Change, number])[]): Promise<void> => {
      await using s = await service();
      const tellings: { readonly order: number; tell(): unknown }[] = [];
      for (const [one, order] of changes) {
        const at = s.tick();
        const later = (tell: () => unknown): void => void tellings.push({ order, tell });
        const deliver = (event: string, payload: object): void =>
          later(() => {
            deliveries += 1;
            const body = { repository: { full_name: "o/r" }, ...payload };
            return s.live.github?.deliver({ id: `d-${deliveries}`, event, payload: body });
          });
        if ("git" in one) {
          s.world.row = { ...s.world.row, name: one.git };
          const { name } = s.world.row;
          later(() => s.git()?.report({ workspaceId: "w", patch: { name }, observedAt: at }));
        } else if ("pull" in one) {
          s.world.pull = one.pull;
          deliver("pull_request", {
            action: "edited",
            pull_request: {
              number: 1,
              html_url: "https://github.com/o/r/pull/1",
              ...one.pull,
              updated_at: iso(at),
              head: { ref: "topic", sha: SHA, repo: { full_name: "o/r" } },
            },
          });
        } else if ("check" in one) {
          s.world.check = one.check;
          const isDone = one.check !== "in-progress";
          deliver("check_run", {
            action: "x",
            check_run: {
              id: at,
              name: "test",
              head_sha: SHA,
              status: isDone ? "completed" : "in_progress",
              conclusion: isDone ? one.check : null,
              started_at: iso(at),
              completed_at: isDone ? iso(at) : null,
              app: { id: 1 },
              check_suite: { id: 1, head_branch: "topic" },
              pull_requests: [],
            },
          });
        } else if ("working" in one) {
          s.world.working = one.working;
          const activity = one.working ? ("WORKING" as const) : ("IDLE" as const);
          later(() => s.live.sessions.update({ sessionId: "s", workspaceId: "w", activity, observedAt: at }));
        } else if ("script" in one) {
          s.world.script = one.script;
          const patch = { runScriptStatus: one.script };
          later(() =>
            s.live.collector.submit({ workspaceId: "w", patch, source: "run-script", observedAt: at }),
          );
        } else {
          s.world.mode = one.api;
          later(() => s.live.workspaces.upsert("w", { mode: one.api }, { observedAt: at }));
        }
        // Read again at any time: it says what is now, and is stamped with the beginning of the read.
        if (order % 3 === 0) later(() => s.live.workspaces.invalidate("w"));
        if (order % 4 === 0) later(() => s.git()?.invalidateList());
      }
      s.tick();
      await Promise.all(tellings.sort((a, b) => a.order - b.order).map(({ tell }) => tell()));
      const told = (kind: string): boolean => changes.some(([one]) => kind in one);
      const { world } = s;
      const ci = { success: "SUCCESS", failure: "FAILURE", "in-progress": "PENDING" } as const;
      const pr = world.pull.state === "closed" ? "CLOSED" : world.pull.draft ? "DRAFT" : "OPEN";
      await vi.waitFor(() =>
        expect(s.live.workspaces.getByWorkspaceId("w")).toMatchObject({
          name: world.row.name,
          branchName: "topic",
          mode: world.mode,
          isWorking: world.working,
          runScriptStatus: world.script,
          prState: told("pull") ? pr : "NONE",
          ...(told("pull") && told("check") && { prCiStatus: ci[world.check] }),
        }),
      );
    };
    await fc.assert(fc.asyncProperty(program, check), { numRuns: 60 });
  }, 60_000);
});

describe("a workspace that a source names before it is known", () => {
  const seen = (
    live: ReturnType<typeof createSnapwire>,
    workspaceId: string,
    name: string,
    observedAt: number,
  ) => live.collector.report({ workspaceId, patch: { name }, source: "early", observedAt });
  const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

  test("waits for it, and then shows what was seen last", async () => {
    await using live = createSnapwire();
    await live.start();
    const at = Date.now() - 1_000;
    seen(live, "w", "newer", at + 2);
    seen(live, "w", "older", at + 1);
    await settled();
    expect(live.workspaces.getByWorkspaceId("w")).toBeUndefined();
    await live.workspaces.upsert("w", { projectId: "p", name: "" }, { observedAt: at });
    await vi.waitFor(() => expect(live.workspaces.getByWorkspaceId("w")).toMatchObject({ name: "newer" }));
  });

  test("does not wait any more once it is said to be gone", async () => {
    await using live = createSnapwire();
    await live.start();
    const at = Date.now() - 1_000;
    seen(live, "w", "before", at);
    await settled();
    live.collector.remove({ workspaceId: "w", source: "early", observedAt: at + 1 });
    await settled();
    await live.workspaces.upsert("w", { projectId: "p" });
    await settled();
    expect(live.workspaces.getByWorkspaceId("w")).toMatchObject({ name: "" });
  });

  test("is forgotten when too many are waited for, the first ones first", async () => {
    await using live = createSnapwire();
    await live.start();
    const at = Date.now() - 1_000;
    for (let index = 0; index < 1_100; index += 1) seen(live, `w${index}`, "early", at + 1);
    await vi.waitFor(async () => {
      await live.workspaces.upsert("w1099", { projectId: "p", name: "" }, { observedAt: at });
      expect(live.workspaces.getByWorkspaceId("w1099")).toMatchObject({ name: "early" });
    });
    await live.workspaces.upsert("w0", { projectId: "p", name: "" }, { observedAt: at });
    await settled();
    expect(live.workspaces.getByWorkspaceId("w0")).toMatchObject({ name: "" });
  });
});
