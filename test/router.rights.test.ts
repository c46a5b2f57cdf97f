/** Who may ask for what, and what becomes of a right that goes away while a subscription lives. */
import { TRPCError } from "@trpc/server";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { Identity, Role, SnapwireContext } from "../src/index.ts";
import { RightsSweep } from "../src/router/rights.ts";
import {
  ADMIN,
  follow,
  identity,
  leftovers,
  NOTHING_LEFT,
  refusalOf,
  routed,
  worded,
} from "./helpers/router-callers.ts";
import { until } from "./helpers/store-until.ts";

const P = "project";
const Q = "other";

describe("what each role may do", () => {
  const READ = ["onProject", "onProjects", "projects", "byProject", "byWorkspace"] as const;
  const WRITE = ["upsert", "remove"] as const;
  const may: Record<Role, readonly string[]> = {
    viewer: [...READ, "health"],
    publisher: [...READ, ...WRITE, "health"],
    agent: ["health"],
    admin: [...READ, ...WRITE, "health", "stats"],
  };
  type Routed = Awaited<ReturnType<typeof routed>>;
  const call: Record<string, (caller: ReturnType<Routed["as"]>) => Promise<unknown>> = {
    onProject: (caller) => caller.snapshots.onProject({ projectId: P }),
    onProjects: (caller) => caller.snapshots.onProjects(),
    projects: (caller) => caller.snapshots.projects(),
    byProject: (caller) => caller.snapshots.byProject({ projectId: P }),
    byWorkspace: (caller) => caller.snapshots.byWorkspace({ workspaceId: "w" }),
    upsert: (caller) => caller.snapshots.upsert({ workspaceId: "w", projectId: P }),
    remove: (caller) => caller.snapshots.remove({ workspaceId: "w" }),
    health: (caller) => caller.system.health(),
    stats: (caller) => caller.system.stats(),
  };
  const cases = Object.entries(may).flatMap(([role, allowed]) =>
    Object.keys(call).map((name) => [role as Role, name, allowed.includes(name)] as const),
  );

  test.each(cases)("%s, %s: %s", async (role, name, allowed) => {
    await using service = await routed();
    await service.workspaces.upsert("w", { projectId: P });
    const attempt = call[name]?.(service.as(identity(role))) ?? Promise.reject(new Error(name));
    if (allowed) await attempt;
    else expect(await refusalOf(attempt)).toMatchObject({ code: "FORBIDDEN" });
    expect(service.live.feed.size, "nothing is subscribed before it is asked for").toBe(0);
  });

  test.each(Object.keys(call))("nobody, %s: only what anybody may know", async (name) => {
    await using service = await routed();
    await service.workspaces.upsert("w", { projectId: P });
    const attempt = call[name]?.(service.as(null, { refused: "missing" })) ?? Promise.reject(new Error(name));
    if (name !== "health") {
      expect(await refusalOf(attempt)).toMatchObject({
        code: "UNAUTHORIZED",
        message: expect.stringContaining("connectionParams"),
      });
      return;
    }
    expect(Object.keys((await attempt) as object)).not.toContain("checks");
  });

  test("somebody who may read sees the checks of the health too", async () => {
    await using service = await routed();
    expect(await service.as(identity("viewer")).system.health()).toMatchObject({
      status: "ok",
      checks: { service: { ok: true }, journal: { ok: true } },
    });
  });

  test("an invalid token is told apart from a missing one", async () => {
    await using service = await routed();
    const { message } = await refusalOf(service.as(null, { refused: "invalid" }).snapshots.projects());
    expect(message).toContain("not valid");
  });
});

describe("P5 projects that the caller may not see", () => {
  const viewer = identity("viewer", [P]);
  const publisher = identity("publisher", [P]);

  test("P5 are refused by name, also when a name begins like one that is allowed", async () => {
    await using service = await routed();
    for (const projectId of ["project-2", "projec", "Project", `${P} `, `${P}\u0000`, "*", "__proto__"]) {
      for (const attempt of [
        service.as(viewer).snapshots.onProject({ projectId }),
        service.as(viewer).snapshots.byProject({ projectId }),
        service.as(publisher).snapshots.upsert({ workspaceId: "w", projectId }),
      ])
        expect(await refusalOf(attempt), projectId).toMatchObject({ code: "FORBIDDEN" });
    }
  });

  test("P5 share not one byte with a subscriber, also when names are prefixes of each other", async () => {
    await using service = await routed();
    const names = ["p", "pp", "p/p", "p.p", "p "];
    const followed = names.map((projectId) => {
      const abort = new AbortController();
      const caller = service.as(identity("viewer", [projectId]), { signal: abort.signal });
      return { projectId, abort, ...follow(caller.snapshots.onProject({ projectId })) };
    });
    await until(() => expect(followed.every(({ frames }) => frames.length === 1)).toBe(true));
    for (const projectId of names) {
      await service.workspaces.upsert(`only-of<${projectId}>`, { projectId, name: `only-of<${projectId}>` });
      await service.workspaces.upsert(`moves<${projectId}>`, { projectId });
    }
    for (const projectId of names) await service.workspaces.remove(`moves<${projectId}>`);
    await until(() =>
      expect(followed.every(({ data }) => worded(data()).at(-1)?.startsWith("removed"))).toBe(true),
    );
    for (const { projectId, frames, abort } of followed) {
      const bytes = JSON.stringify(frames);
      expect(bytes).toContain(`only-of<${projectId}>`);
      for (const other of names) if (other !== projectId) expect(bytes).not.toContain(`<${other}>`);
      abort.abort();
    }
  });

  test("P5 are not in the list, and their workspaces are as good as not there", async () => {
    await using service = await routed();
    await service.workspaces.upsert("w", { projectId: P });
    await service.workspaces.upsert("secret", { projectId: Q });
    const caller = service.as(viewer);
    expect(await caller.snapshots.projects()).toEqual({ projects: [P] });
    expect(await caller.snapshots.byWorkspace({ workspaceId: "w" })).toMatchObject({
      entry: { workspaceId: "w" },
    });
    expect(await caller.snapshots.byWorkspace({ workspaceId: "secret" })).toBeNull();
    expect(await caller.snapshots.byWorkspace({ workspaceId: "nobody's" })).toBeNull();
  });

  test("P5 can neither be taken from nor written into, and the refusal does not name them", async () => {
    await using service = await routed();
    await service.workspaces.upsert("w", { projectId: P });
    await service.workspaces.upsert("secret", { projectId: Q });
    const caller = service.as(publisher);
    const attempts = [
      caller.snapshots.upsert({ workspaceId: "secret", name: "mine now" }),
      caller.snapshots.upsert({ workspaceId: "secret", projectId: P }),
      caller.snapshots.remove({ workspaceId: "secret" }),
    ];
    for (const attempt of attempts) {
      const refusal = await refusalOf(attempt);
      expect(refusal.code).toBe("FORBIDDEN");
      expect(refusal.message).not.toContain(Q);
    }
    expect(await refusalOf(caller.snapshots.upsert({ workspaceId: "w", projectId: Q }))).toMatchObject({
      code: "FORBIDDEN",
    });
    expect(service.workspaces.getByWorkspaceId("secret")).toMatchObject({ projectId: Q, name: "" });
    expect(service.workspaces.getByProjectId(P)).toHaveLength(1);
  });

  test("a move needs the right to both projects, and then is one", async () => {
    await using service = await routed();
    await service.workspaces.upsert("w", { projectId: P });
    await service.as(identity("publisher", [P, Q])).snapshots.upsert({ workspaceId: "w", projectId: Q });
    expect(service.workspaces.getByWorkspaceId("w")?.projectId).toBe(Q);
  });

  test("a workspace that moves while the right to write it is asked for is asked for again", async () => {
    await using service = await routed();
    const { createSnapwireProcedures } = await import("../src/index.ts");
    const { initTRPC } = await import("@trpc/server");
    const t = initTRPC.create();
    const asked: (string | undefined)[] = [];
    const { snapshots } = createSnapwireProcedures({
      live: service.live,
      procedure: t.procedure,
      authorize: async ({ projectId }) => {
        asked.push(projectId);
        if (projectId === P && asked.filter((id) => id === P).length === 1)
          await service.workspaces.upsert("w", { projectId: Q });
        return projectId !== Q;
      },
    });
    await service.workspaces.upsert("w", { projectId: P });
    const attempt = t.router(snapshots).createCaller({}).upsert({ workspaceId: "w", name: "written" });
    expect(await refusalOf(attempt)).toMatchObject({ code: "FORBIDDEN" });
    expect(asked).toEqual([undefined, P, Q]);
    expect(service.workspaces.getByWorkspaceId("w")?.name).toBe("");
  });
});

describe("P5 a write that expects its workspace in a project", () => {
  const both = identity("publisher", [P, Q]);
  const publisher = identity("publisher", [P]);
  const expecting = { workspaceId: "w", projectId: P, expectedProjectId: P };

  test("is told where it is by whom that may be known: who may write there", async () => {
    await using service = await routed();
    await service.workspaces.upsert("w", { projectId: Q, status: "ARCHIVED" });
    expect(await refusalOf(service.as(both).snapshots.upsert(expecting))).toMatchObject({
      code: "CONFLICT",
      reason: "other-project",
      message: expect.stringContaining(`in the project ${Q}, not in ${P}`),
    });
    const refusal = await refusalOf(service.as(publisher).snapshots.upsert(expecting));
    expect(refusal).toEqual({ code: "FORBIDDEN", message: "This identity may not write workspace w." });
    expect(service.workspaces.projectOf("w")).toBe(Q);
  });

  test("is not told to where it moved after the right was asked for, by who may not write there", async () => {
    await using service = await routed();
    await service.workspaces.upsert("w", { projectId: P });
    const release = service.holdJournal();
    const writes = [
      service.workspaces.upsert("w", { name: "in flight" }),
      service.workspaces.upsert("w", { projectId: Q }),
    ];
    const refusals = [both, publisher].map((who) => refusalOf(service.as(who).snapshots.upsert(expecting)));
    await new Promise(setImmediate); // the rights have been asked for
    release();
    await Promise.all(writes);
    expect(await Promise.all(refusals)).toEqual([
      { code: "CONFLICT", reason: "other-project", message: expect.stringContaining(Q) },
      { code: "FORBIDDEN", message: "This identity may not write workspace w." },
    ]);
    expect(service.workspaces.projectOf("w")).toBe(Q);
  });
});

describe("what a caller publishes", () => {
  test("is the callers' own, whatever source it names: no source's pass finds it gone", async () => {
    vi.useFakeTimers();
    try {
      const source = { name: "git", list: () => [], read: () => [] };
      await using service = await routed({ sources: [source] });
      await vi.advanceTimersByTimeAsync(0);
      await service.as(ADMIN).snapshots.upsert({ workspaceId: "w", projectId: P, source: "git" });
      await vi.advanceTimersByTimeAsync(180_000);
      expect(service.workspaces.getByWorkspaceId("w")?.source).toBe("event:git");
    } finally {
      vi.useRealTimers();
    }
  });
});

describe("P5 a right that is revoked while a subscription lives", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  const settle = (): Promise<unknown> => vi.advanceTimersByTimeAsync(0);

  async function living(recheckEveryMs?: number) {
    const service = await routed(recheckEveryMs === undefined ? {} : { recheckEveryMs });
    let now: Identity | null | Error = identity("viewer", [P, Q]);
    const rechecks: number[] = [];
    const ctx: Partial<SnapwireContext> = {
      recheck: async () => {
        rechecks.push(Date.now());
        if (now instanceof Error) throw now;
        return now;
      },
    };
    const as = (signal?: AbortSignal) =>
      service.as(identity("viewer", [P, Q]), { ...ctx, ...(signal && { signal }) });
    return {
      ...service,
      caller: as,
      rechecks,
      setIdentity: (next: Identity | null | Error) => {
        now = next;
      },
      [Symbol.asyncDispose]: () => service.live.stop(),
    };
  }

  test("P5 ends it within 60 s: the last frame says why, then it returns, and nothing of the time after is told", async () => {
    await using service = await living();
    const ending = follow(service.caller().snapshots.onProject({ projectId: P }));
    const staying = follow(service.caller().snapshots.onProject({ projectId: Q }));
    await settle();
    service.setIdentity(identity("viewer", [Q]));
    await vi.advanceTimersByTimeAsync(59_999);
    expect(ending.isOver()).toBe(false);
    await vi.advanceTimersByTimeAsync(1);
    await ending.over;
    await service.workspaces.upsert("w", { projectId: P });
    expect(worded(ending.data())).toEqual(["full first", "ended revoked"]);
    expect(staying.isOver()).toBe(false);
    await service.live.stop();
  });

  test.each([
    ["the identity is gone", null],
    ["it is refused as such", new TRPCError({ code: "UNAUTHORIZED" })],
    ["it lost the role", identity("agent")],
  ])("P5 because %s ends it too", async (_why, next) => {
    await using service = await living(1_000);
    const ending = follow(service.caller().snapshots.onProject({ projectId: P }));
    await settle();
    service.setIdentity(next);
    await vi.advanceTimersByTimeAsync(1_000);
    await ending.over;
    expect(worded(ending.data()).at(-1)).toBe("ended revoked");
    expect(vi.getTimerCount()).toBe(0);
  });

  test("when it cannot be looked at, the subscription goes on, and it is logged", async () => {
    await using service = await living(1_000);
    const going = follow(service.caller().snapshots.onProject({ projectId: P }));
    await settle();
    service.setIdentity(new Error("the directory is away"));
    await vi.advanceTimersByTimeAsync(3_000);
    expect(going.isOver()).toBe(false);
    expect(service.log.said(/rights/)).toHaveLength(3);
    await service.workspaces.upsert("w", { projectId: P });
    await settle();
    expect(worded(going.data())).toEqual(["full first", "changed w"]);
  });

  test("P5 is asked for again at each resume", async () => {
    await using service = await routed();
    const abort = new AbortController();
    const first = follow(service.as(ADMIN, { signal: abort.signal }).snapshots.onProject({ projectId: P }));
    await settle();
    abort.abort();
    const lastEventId = first.lastId() ?? "";
    const resume = service.as(identity("viewer", [Q])).snapshots.onProject({ projectId: P, lastEventId });
    expect(await refusalOf(resume)).toMatchObject({ code: "FORBIDDEN" });
  });

  test("P5 of one who waits for the first pass ends it with its first frame", async () => {
    const source = { name: "git", list: () => new Promise<string[]>(() => undefined), read: () => [] };
    const service = await routed({ sources: [source], recheckEveryMs: 1_000, firstPassWaitMs: 2_000 });
    await service.workspaces.upsert("w", { projectId: P });
    const ending = follow(
      service.as(ADMIN, { recheck: async () => null }).snapshots.onProject({ projectId: P }),
    );
    await vi.advanceTimersByTimeAsync(2_000);
    await ending.over;
    expect(worded(ending.data())).toEqual(["ended revoked"]);
  });

  test("P5 takes a project out of a live list, the whole list when nothing is left, and gives it back", async () => {
    await using service = await living(1_000);
    await service.workspaces.upsert("w", { projectId: P });
    await service.workspaces.upsert("v", { projectId: Q });
    const list = follow(service.caller().snapshots.onProjects());
    await settle();
    const told = () => list.data().map(({ projects }) => projects.join(" "));
    expect(told()).toEqual(["other project"]);
    service.setIdentity(identity("viewer", [Q]));
    await vi.advanceTimersByTimeAsync(1_000);
    expect(told().at(-1)).toBe("other");
    await service.workspaces.upsert("u", { projectId: "third" });
    await settle();
    expect(told().at(-1), "a change of the list brings nothing back").toBe("other");
    service.setIdentity(identity("viewer", [P, Q]));
    await vi.advanceTimersByTimeAsync(1_000);
    expect(told().at(-1)).toBe("other project");
    service.setIdentity(new Error("the directory is away"));
    await vi.advanceTimersByTimeAsync(1_000);
    await service.workspaces.upsert("x", { projectId: "fourth" });
    await settle();
    expect([told().at(-1), list.isOver()], "not known now: what is shown stays").toEqual([
      "other project",
      false,
    ]);
    service.setIdentity(null);
    await vi.advanceTimersByTimeAsync(1_000);
    await list.over;
    expect(told().at(-1)).toBe("");
    expect(leftovers(service.live)).toEqual(NOTHING_LEFT);
  });

  test("P9 one timer looks at all of them, and there is none when nobody watches", async () => {
    await using service = await living(1_000);
    const idle = vi.getTimerCount();
    const abort = new AbortController();
    const followed = Array.from({ length: 100 }, () =>
      follow(service.caller(abort.signal).snapshots.onProject({ projectId: P })),
    );
    await settle();
    expect(vi.getTimerCount()).toBe(idle + 1);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(service.rechecks).toHaveLength(100);
    abort.abort();
    await Promise.all(followed.map(({ over }) => over));
    expect(vi.getTimerCount()).toBe(idle);
  });
});

describe("the sweep over the rights", () => {
  test("looks at one while another hangs, and does not pile up looks at the one that hangs", async () => {
    const sweep = new RightsSweep({});
    let looks = 0;
    const revoke = vi.fn();
    const unwatch = [
      sweep.watch({
        allowed: () => {
          looks += 1;
          return new Promise<boolean>(() => undefined);
        },
        revoke: () => undefined,
      }),
      sweep.watch({ allowed: async () => false, revoke }),
    ];
    for (let i = 0; i < 5; i += 1) void sweep.sweep();
    await until(() => expect(revoke).toHaveBeenCalled());
    expect(looks).toBe(1);
    for (const stop of unwatch) stop();
    expect(sweep.size).toBe(0);
  });
});
