/** What a forge says, in whatever order it arrives. */
import examples from "@octokit/webhooks-examples/api.github.com/index.json" with { type: "json" };
import fc from "fast-check";
import { describe, expect, test, vi } from "vitest";
import { Github, repositoryName } from "../src/github/index.ts";
import { pullObservation, pullSchema } from "../src/github/payloads.ts";
import { createMemoryJournal } from "../src/journal/memory.ts";
import { silentLogger } from "../src/log.ts";

interface Entry {
  readonly workspaceId: string;
  readonly projectId: string;
  branchName: string | null;
  ratchetEnabled: boolean;
  [field: string]: unknown;
}

async function github(
  branch = "changes",
  repository = "codertocat/hello-world",
  others: readonly string[] = [],
) {
  const entry: Entry = { workspaceId: "w", projectId: "p", branchName: branch, ratchetEnabled: false };
  const reports: Record<string, unknown>[] = [];
  const journal = createMemoryJournal();
  await journal.open();
  const hub = new Github({
    journal,
    now: () => Date.UTC(2026, 0, 1),
    logger: silentLogger,
    repositories: () => new Map([repository, ...others].map((name) => [name, "p"])),
    entriesOf: (projectId) => (projectId === "p" ? [entry] : []),
    report: ({ patch }) => {
      reports.push(patch);
      Object.assign(entry, patch);
    },
  });
  await hub.open();
  let count = 0;
  return {
    hub,
    entry,
    reports,
    journal,
    deliver: (event: string, payload: unknown, id = `d-${++count}`) => hub.deliver({ id, event, payload }),
    settled: () => new Promise<void>((resolve) => setImmediate(() => setImmediate(resolve))),
    [Symbol.asyncDispose]: () => hub.close(),
  };
}

const SHA = "a".repeat(40);
const OTHER = "b".repeat(40);
const repository = { full_name: "Codertocat/Hello-World", pushed_at: 1_700_000_000 };
const at = (second: number) => new Date(1_700_000_000_000 + second * 1_000).toISOString();

const pull = (second: number, more: object = {}) => ({
  action: "synchronize",
  repository,
  pull_request: {
    number: 7,
    html_url: "https://github.com/Codertocat/Hello-World/pull/7",
    state: "open",
    draft: false,
    merged: false,
    mergeable_state: "unknown",
    updated_at: at(second),
    head: { ref: "changes", sha: SHA, repo: { full_name: "Codertocat/Hello-World" } },
    ...more,
  },
});
const check = (id: number, second: number, conclusion: string | null, more: object = {}) => ({
  action: conclusion === null ? "created" : "completed",
  repository,
  check_run: {
    id,
    name: "lint",
    head_sha: SHA,
    status: conclusion === null ? "in_progress" : "completed",
    conclusion,
    details_url: "https://ci.example.com/1",
    started_at: at(second),
    completed_at: conclusion === null ? null : at(second),
    app: { id: 1 },
    check_suite: { id: 11 },
    pull_requests: [],
    ...more,
  },
});
const actions = (run: number, job: string) => ({
  name: job,
  details_url: `https://github.com/o/r/actions/runs/${run}/job/${run}1`,
});
const review = (id: number, second: number, state: string, login = "ada", action = "submitted") => ({
  action,
  repository,
  review: { id, user: { login }, state, submitted_at: at(second) },
  pull_request: { number: 7 },
});
const push = (second: number, sha: string | null, branch = "changes") => ({
  ref: `refs/heads/${branch}`,
  after: sha ?? "0".repeat(40),
  deleted: sha === null,
  repository: { ...repository, pushed_at: 1_700_000_000 + second },
});

describe("a remote", () => {
  test.each([
    ["https://github.com/Owner/Name.git", "owner/name"],
    ["https://user:secret@github.com/owner/name/", "owner/name"],
    ["git@github.com:owner/na.me.git", "owner/na.me"],
    ["ssh://git@github.com:22/owner/name", "owner/name"],
    ["git://github.com/owner/name.git", "owner/name"],
    ["Owner/Name", "owner/name"],
    ["/srv/git/name.git", undefined],
    ["file:///srv/owner/name.git", undefined],
    ["../name", undefined],
    ["https://github.com/owner", undefined],
    ["https://github.com/a/b/c", undefined],
    ["", undefined],
  ])("%s is %s", (remote, name) => {
    expect(repositoryName(remote)).toBe(name);
  });
});

describe("a workspace on a branch", () => {
  test("gets its pull request, and UNKNOWN while no check is known: a webhook that never came is no news", async () => {
    await using g = await github();
    expect(await g.deliver("pull_request", pull(1))).toBe("changed");
    await g.settled();
    expect(g.entry).toMatchObject({
      prUrl: "https://github.com/Codertocat/Hello-World/pull/7",
      prNumber: 7,
      prState: "OPEN",
      hasMergeConflict: false,
      prUpdatedAt: at(1),
    });
    expect(g.entry.prCiStatus).toBe("UNKNOWN");
  });

  test("gets the roll-up of its head's checks, by sha: check events of forks name no pull request", async () => {
    await using g = await github();
    await g.deliver(
      "pull_request",
      pull(1, { head: { ref: "changes", sha: SHA, repo: { full_name: "fork/x" } } }),
    );
    await g.deliver("check_run", check(1, 2, null));
    await g.deliver("check_run", check(2, 3, "success", { name: "test" }));
    await g.settled();
    expect(g.entry.prCiStatus).toBe("PENDING");
    await g.deliver("check_run", check(1, 4, "failure"));
    await g.settled();
    expect(g.entry.prCiStatus).toBe("FAILURE");
    await g.deliver("check_run", check(3, 5, "success")); // the same check of the same app ran again
    await g.settled();
    expect(g.entry.prCiStatus).toBe("SUCCESS");
    await g.deliver("status", {
      id: 1,
      sha: SHA,
      context: "deploy",
      state: "error",
      updated_at: at(6),
      repository,
    });
    await g.settled();
    expect(g.entry.prCiStatus).toBe("FAILURE");
  });

  test("is not failed by an older run of the same workflow and job; another workflow's job of that name is its own", async () => {
    await using g = await github();
    await g.deliver("pull_request", pull(1));
    const workflow = (id: number, suite: number, name: string, conclusion: string) => ({
      repository,
      workflow_run: {
        id,
        name,
        head_sha: SHA,
        html_url: `https://github.com/o/r/actions/runs/${id}`,
        status: "completed",
        conclusion,
        check_suite_id: suite,
        updated_at: at(9),
      },
    });
    await g.deliver(
      "check_run",
      check(1, 2, "failure", { ...actions(100, "build"), check_suite: { id: 1 } }),
    );
    await g.deliver("workflow_run", workflow(100, 1, "CI", "failure"));
    await g.deliver(
      "check_run",
      check(2, 3, "success", { ...actions(200, "build"), check_suite: { id: 2 } }),
    );
    await g.settled();
    expect(g.entry.prCiStatus).toBe("FAILURE");
    await g.deliver("workflow_run", workflow(200, 2, "CI", "success"));
    await g.settled();
    expect(g.entry.prCiStatus).toBe("SUCCESS");
    await g.deliver(
      "check_run",
      check(3, 4, "failure", { ...actions(300, "build"), check_suite: { id: 3 } }),
    );
    await g.deliver("workflow_run", workflow(300, 3, "Nightly", "failure"));
    await g.settled();
    expect(g.entry.prCiStatus).toBe("FAILURE");
  });

  test("a suite's own word counts only while none of its runs is known", async () => {
    await using g = await github();
    await g.deliver("pull_request", pull(1));
    const suite = (id: number, conclusion: string | null, second: number) => ({
      repository,
      check_suite: {
        id,
        head_sha: SHA,
        status: conclusion ? "completed" : "queued",
        conclusion,
        updated_at: at(second),
      },
    });
    await g.deliver("check_suite", suite(11, null, 1)); // many apps get a suite and never begin a run
    await g.settled();
    expect(g.entry.prCiStatus).toBe("UNKNOWN");
    await g.deliver("check_suite", suite(11, "failure", 2));
    await g.settled();
    expect(g.entry.prCiStatus).toBe("FAILURE");
    await g.deliver("check_run", check(1, 3, "success"));
    await g.settled();
    expect(g.entry.prCiStatus).toBe("SUCCESS");
  });

  test("shows draft before decisions, changes requested before approval, and what was dismissed no more", async () => {
    await using g = await github();
    const state = async () => {
      await g.settled();
      return g.entry.prState;
    };
    await g.deliver("pull_request", pull(1));
    await g.deliver("pull_request_review", review(1, 2, "approved", "ada"));
    expect(await state()).toBe("APPROVED");
    await g.deliver("pull_request_review", review(2, 3, "changes_requested", "ben"));
    expect(await state()).toBe("CHANGES_REQUESTED");
    await g.deliver("pull_request_review", review(3, 4, "commented", "ben"));
    expect(await state()).toBe("CHANGES_REQUESTED");
    await g.deliver("pull_request_review", review(2, 3, "dismissed", "ben", "dismissed"));
    expect(await state()).toBe("APPROVED");
    await g.deliver("pull_request", pull(5, { draft: true }));
    expect(await state()).toBe("DRAFT");
    await g.deliver("pull_request", pull(6, { state: "closed", merged: true }));
    expect(await state()).toBe("MERGED");
    await g.deliver("pull_request", pull(7, { state: "closed", merged: false }));
    expect(await state()).toBe("CLOSED");
  });

  test("keeps a conflict until it is said to be gone: not computed yet is no answer", async () => {
    await using g = await github();
    await g.deliver("pull_request", pull(1, { mergeable_state: "dirty" }));
    await g.deliver("pull_request", pull(2, { mergeable_state: "unknown" }));
    await g.settled();
    expect(g.entry.hasMergeConflict).toBe(true);
    await g.deliver("pull_request", pull(3, { mergeable_state: "clean" }));
    await g.settled();
    expect(g.entry.hasMergeConflict).toBe(false);
  });

  test("loses a finished pull request once its branch is pushed to again", async () => {
    await using g = await github();
    await g.deliver("pull_request", pull(5, { state: "closed", merged: true }));
    await g.settled();
    expect(g.entry.prState).toBe("MERGED");
    await g.deliver("push", push(3, SHA));
    await g.settled();
    expect(g.entry.prState).toBe("MERGED");
    await g.deliver("push", push(9, OTHER));
    await g.settled();
    expect(g.entry).toMatchObject({ prState: "NONE", prUrl: null, prNumber: null, prCiStatus: "UNKNOWN" });
    await g.deliver("push", push(10, null));
    await g.settled();
    expect(g.entry.prState).toBe("MERGED");
  });

  test("follows the ratchet only while it is on, and its checks when its head moves", async () => {
    await using g = await github();
    await g.deliver("pull_request", pull(1));
    await g.deliver("check_run", check(1, 2, "failure"));
    await g.settled();
    expect(g.entry.ratchetState).toBeUndefined();
    g.entry.ratchetEnabled = true;
    g.hub.look(g.entry as never);
    await g.settled();
    expect(g.entry.ratchetState).toBe("CI_FAILED");
    await g.deliver("push", push(5, OTHER));
    await g.settled();
    expect(g.entry).toMatchObject({ prCiStatus: "UNKNOWN", ratchetState: "CI_RUNNING" });
  });

  test("that switches to a branch of which nothing is known shows the old one's pull request no more", async () => {
    await using g = await github();
    await g.deliver("pull_request", pull(1));
    await g.deliver("check_run", check(1, 2, "failure"));
    await g.settled();
    expect(g.entry).toMatchObject({ prNumber: 7, prCiStatus: "FAILURE" });
    g.entry.branchName = "brand-new";
    g.hub.look(g.entry as never);
    await g.settled();
    expect(g.entry).toMatchObject({
      prUrl: null,
      prNumber: null,
      prState: "NONE",
      prCiStatus: "UNKNOWN",
      hasMergeConflict: false,
    });
    Object.assign(g.entry, { prUrl: "https://elsewhere.example.com/1", prNumber: 1 }); // said by somebody else
    await g.deliver("push", push(20, OTHER, "unrelated"));
    await g.settled();
    expect(g.entry.prNumber).toBe(1);
  });

  test("shows no stranger's pull request: a fork's branch of the same name is another one", async () => {
    await using g = await github("main");
    const head = (full_name: string, default_branch = "trunk") => ({
      head: { ref: "main", sha: OTHER, repo: { full_name } },
      base: { repo: { default_branch } },
    });
    await g.deliver("pull_request", pull(1, head("stranger/hello-world", "main")));
    await g.settled();
    expect(g.reports).toEqual([]);
    await g.deliver("push", push(1, SHA, "main"));
    await g.deliver("pull_request", pull(2, head("stranger/hello-world")));
    await g.settled();
    expect(g.entry).toMatchObject({ prState: "NONE", prNumber: null });
    await g.deliver("pull_request", pull(3, { ...head("Codertocat/Hello-World"), number: 8 }));
    await g.settled();
    expect(g.entry.prNumber).toBe(8);
  });

  test("whose project is a fork and its parent shows the parent's pull request, whichever of both spoke last", async () => {
    await using g = await github("changes", "codertocat/hello-world", ["me/hello-world"]);
    await g.deliver(
      "pull_request",
      pull(5, { head: { ref: "changes", sha: SHA, repo: { full_name: "me/hello-world" } } }),
    );
    await g.deliver("check_run", check(1, 6, "success"));
    await g.settled();
    expect(g.entry).toMatchObject({ prNumber: 7, prCiStatus: "SUCCESS" });
    const pushed = push(4, SHA);
    await g.deliver("push", { ...pushed, repository: { ...pushed.repository, full_name: "me/hello-world" } });
    await g.settled();
    expect(g.entry).toMatchObject({ prNumber: 7, prState: "OPEN", prCiStatus: "SUCCESS" });
  });

  test("does not get a finished pull request back because somebody wrote on it", async () => {
    await using g = await github();
    const merged = { state: "closed", merged: true, closed_at: at(5) };
    await g.deliver("pull_request", pull(5, merged));
    await g.deliver("push", push(9, OTHER));
    await g.settled();
    expect(g.entry.prState).toBe("NONE");
    await g.deliver("pull_request", pull(20, merged)); // labelled
    await g.settled();
    expect(g.entry.prState).toBe("NONE");
  });

  test("whose ratchet is turned off is IDLE, and whose conflict went away with its base has none", async () => {
    await using g = await github();
    g.entry.ratchetEnabled = true;
    await g.deliver("pull_request", pull(1, { mergeable_state: "dirty" }));
    await g.deliver("check_run", check(1, 2, "success"));
    await g.settled();
    expect(g.entry).toMatchObject({ hasMergeConflict: true, ratchetState: "MERGE_CONFLICT" });
    g.entry.ratchetEnabled = false;
    g.hub.look(g.entry as never);
    await g.settled();
    expect(g.entry.ratchetState).toBe("IDLE");
    const { pull_request } = pull(1, { mergeable_state: "clean" });
    const seenAt = 1_700_000_100_000; // asked for later: the object's own time is as it was
    await g.hub.observe("codertocat/hello-world", [pullObservation(pullSchema.parse(pull_request), seenAt)]);
    await g.settled();
    expect(g.entry.hasMergeConflict).toBe(false);
  });

  test("that switches its branch shows that branch's pull request", async () => {
    await using g = await github("main");
    await g.deliver("pull_request", pull(1));
    await g.settled();
    expect(g.reports).toEqual([]);
    g.entry.branchName = "changes";
    g.hub.look(g.entry as never);
    await g.settled();
    expect(g.entry.prNumber).toBe(7);
  });
});

describe("deliveries", () => {
  test("are told apart: unknown repository, other event, broken payload, the same id again", async () => {
    await using g = await github();
    for (const id of ["unknown", "said-before"])
      expect(await g.deliver("pull_request", { ...pull(1), repository: { full_name: "x/y" } }, id)).toBe(
        "unknown-repository",
      );
    expect(await g.deliver("issues", { repository })).toBe("ignored");
    expect(await g.deliver("ping", { zen: "..." })).toBe("ignored");
    expect(await g.deliver("pull_request", { repository, pull_request: { number: "7" } })).toBe("invalid");
    expect(await g.deliver("pull_request", pull(1), "same")).toBe("changed");
    expect(await g.deliver("pull_request", pull(2), "same")).toBe("duplicate");
    expect(await g.deliver("pull_request", pull(1), "other")).toBe("unchanged");
    expect(await g.deliver("pull_request", pull(3), "said-before")).toBe("changed");
    expect(g.hub.counts).toMatchObject({
      "unknown-repository": 2,
      ignored: 2,
      invalid: 1,
      duplicate: 1,
      changed: 2,
      unchanged: 1,
    });
    expect(g.hub.deliveries[1]).toMatchObject({ id: "other", event: "pull_request", outcome: "unchanged" });
  });

  test("survive the service: facts are records, and what follows from them is the same after a restart", async () => {
    await using g = await github();
    await g.deliver("pull_request", pull(1));
    await g.deliver("check_run", check(1, 2, "failure"));
    const again = new Github({
      journal: g.journal,
      now: Date.now,
      logger: silentLogger,
      repositories: () => new Map([["codertocat/hello-world", "p"]]),
      entriesOf: () => [{ workspaceId: "w", projectId: "p", branchName: "changes", ratchetEnabled: false }],
      report: ({ patch }) => void reports.push(patch),
    });
    const reports: object[] = [];
    await again.open();
    await vi.waitFor(() => expect(reports[0]).toMatchObject({ prNumber: 7, prCiStatus: "FAILURE" }));
    expect(again.factCount).toBe(2);
    await again.close();

    const switched: Entry = { ...g.entry, branchName: "brand-new" }; // while nobody looked
    const later = new Github({
      journal: g.journal,
      now: Date.now,
      logger: silentLogger,
      repositories: () => new Map([["codertocat/hello-world", "p"]]),
      entriesOf: () => [switched],
      report: ({ patch }) => void Object.assign(switched, patch),
    });
    expect(switched.prNumber).toBe(7);
    await later.open();
    await vi.waitFor(() => expect(switched).toMatchObject({ prNumber: null, prState: "NONE" }));
    await later.close();
  });

  const real = examples.flatMap(({ name, examples: all }) =>
    (all as { repository?: { full_name?: string } }[])
      .filter((payload) => payload.repository?.full_name === "Codertocat/Hello-World")
      .map((payload) => ({ event: name, payload })),
  );

  test("the real payloads end in one state, in order, shuffled and doubled", async () => {
    const endOf = async (deliveries: readonly { event: string; payload: unknown }[]) => {
      await using g = await github();
      for (const { event, payload } of deliveries) await g.deliver(event, payload);
      await g.settled();
      expect(g.hub.counts.invalid).toBe(0);
      const { prUrl, prNumber, prState, prCiStatus, prUpdatedAt, hasMergeConflict } = g.entry;
      return { prUrl, prNumber, prState, prCiStatus, prUpdatedAt, hasMergeConflict };
    };
    const inOrder = await endOf(real);
    expect(inOrder).toMatchObject({ prNumber: 2, prUrl: "https://github.com/Codertocat/Hello-World/pull/2" });
    await fc.assert(
      fc.asyncProperty(
        fc.shuffledSubarray([...real, ...real], { minLength: real.length * 2 }),
        async (shuffled) => {
          expect(await endOf(shuffled)).toEqual(inOrder);
        },
      ),
      { numRuns: 25 },
    );
  });

  test("any interleaving of made-up deliveries ends in one state", async () => {
    const all = [
      ...[1, 2, 3].map((second) => ({
        event: "pull_request",
        payload: pull(second, { draft: second === 2 }),
      })),
      { event: "pull_request", payload: pull(3, { state: "closed", merged: true }) }, // in the second of another
      ...[1, 2].map((id) => ({
        event: "check_run",
        payload: check(id, id, id === 1 ? "failure" : "success"),
      })),
      { event: "check_run", payload: check(2, 2, null) },
      { event: "pull_request_review", payload: review(1, 1, "approved") },
      { event: "pull_request_review", payload: review(1, 1, "dismissed", "ada", "dismissed") },
      { event: "push", payload: push(2, SHA) },
      { event: "push", payload: push(3, OTHER) },
    ];
    const endOf = async (deliveries: typeof all) => {
      await using g = await github();
      await Promise.all(deliveries.map(({ event, payload }) => g.deliver(event, payload)));
      await g.settled();
      return JSON.stringify(Object.entries(g.entry).sort());
    };
    const expected = await endOf(all);
    await fc.assert(
      fc.asyncProperty(
        fc.shuffledSubarray([...all, ...all], { minLength: all.length * 2 }),
        async (shuffled) => {
          expect(await endOf(shuffled)).toBe(expected);
        },
      ),
      { numRuns: 50 },
    );
  });

  test("no garbage in a payload throws anything else than its own refusal", async () => {
    await using g = await github();
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(
          "pull_request",
          "check_run",
          "push",
          "status",
          "workflow_run",
          "check_suite",
          "pull_request_review",
        ),
        fc.anything(),
        async (event, junk) => {
          const outcome = await g.deliver(event, {
            repository,
            ...(typeof junk === "object" ? junk : { [event]: junk }),
          });
          expect(["invalid", "ignored", "unknown-repository"]).toContain(outcome);
        },
      ),
      { numRuns: 200 },
    );
  });
});
