/** By which codes, reasons and words a caller is refused, and what is never said. */
import { initTRPC, TRPCError } from "@trpc/server";
import { fetchRequestHandler } from "@trpc/server/adapters/fetch";
import superjson from "superjson";
import { describe, expect, test, vi } from "vitest";
import { createSnapwireProcedures, reasonOf, SnapwireError } from "../src/index.ts";
import { ADMIN, follow, leftovers, NOTHING_LEFT, refusalOf, routed } from "./helpers/router-callers.ts";

const P = "project";

describe("P10 wrong input", () => {
  type Caller = ReturnType<Awaited<ReturnType<typeof routed>>["as"]>;
  const wrong: [string, (caller: Caller) => Promise<unknown>][] = [
    ["S2 no project", (caller) => caller.snapshots.onProject({} as { projectId: string })],
    ["S2 an empty project", (caller) => caller.snapshots.onProject({ projectId: "" })],
    ["S2 no input at all", (caller) => caller.snapshots.onProject(undefined as never)],
    ["a project that is no text", (caller) => caller.snapshots.onProject({ projectId: 7 as never })],
    ["a project that is too long", (caller) => caller.snapshots.onProject({ projectId: "p".repeat(513) })],
    [
      "a position that is no text",
      (caller) => caller.snapshots.onProject({ projectId: P, lastEventId: 7 as never }),
    ],
    ["no input for the list", (caller) => caller.snapshots.onProjects("text" as never)],
    ["a query without a project", (caller) => caller.snapshots.byProject({} as never)],
    ["a position of nonsense", (caller) => caller.snapshots.byProject({ projectId: P, atLeast: "nonsense" })],
    ["no workspace", (caller) => caller.snapshots.byWorkspace({} as never)],
    ["a write without a workspace", (caller) => caller.snapshots.upsert({ projectId: P } as never)],
    [
      "a status outside the enumeration",
      (caller) => caller.snapshots.upsert({ workspaceId: "w", projectId: P, status: "SLEEPING" as never }),
    ],
    [
      "a key that nobody knows",
      (caller) => caller.snapshots.upsert({ workspaceId: "w", projectId: P, nmae: "x" } as never),
    ],
    [
      "a source that is no name",
      (caller) => caller.snapshots.upsert({ workspaceId: "w", projectId: P, source: "Not A Name+" }),
    ],
    [
      "an expected project that is no text",
      (caller) => caller.snapshots.upsert({ workspaceId: "w", projectId: P, expectedProjectId: 7 as never }),
    ],
    ["a time before time", (caller) => caller.snapshots.remove({ workspaceId: "w", observedAt: -1 })],
  ];

  test.each(wrong)(
    "%s is a BAD_REQUEST with a reason and words for a person, and nothing is subscribed",
    async (_what, attempt) => {
      await using service = await routed();
      const refusal = await refusalOf(attempt(service.as(ADMIN)));
      expect(refusal).toMatchObject({ code: "BAD_REQUEST", reason: "invalid-input" });
      expect(refusal.message).not.toMatch(/[[{]\s*"/);
      expect(refusal.message.length).toBeLessThan(2_000);
      expect(leftovers(service.live)).toEqual(NOTHING_LEFT);
      expect(service.heard).toEqual([]);
    },
  );

  test("of other kinds has a reason of its own", async () => {
    await using service = await routed();
    const caller = service.as(ADMIN);
    expect(await refusalOf(caller.snapshots.upsert({ workspaceId: "w", name: "whose?" }))).toMatchObject({
      code: "BAD_REQUEST",
      reason: "project-required",
    });
    const derived = { workspaceId: "w", projectId: P, kanbanColumn: "DONE" } as never;
    expect(await refusalOf(caller.snapshots.upsert(derived))).toMatchObject({
      code: "BAD_REQUEST",
      reason: "derived-field",
    });
  });
});

test("a service that is not started, or stopped, says so to everybody who asks", async () => {
  await using service = await routed({ start: false });
  const caller = service.as(ADMIN);
  const refusals = () =>
    Promise.all(
      [
        caller.snapshots.onProject({ projectId: P }),
        caller.snapshots.onProjects(),
        caller.snapshots.projects(),
        caller.snapshots.byProject({ projectId: P }),
        caller.snapshots.byWorkspace({ workspaceId: "w" }),
        caller.snapshots.upsert({ workspaceId: "w", projectId: P }),
        caller.snapshots.remove({ workspaceId: "w" }),
      ].map(refusalOf),
    );
  const unavailable = Array.from({ length: 7 }, () => ({
    code: "SERVICE_UNAVAILABLE",
    reason: "unavailable",
  }));
  expect(await refusals()).toMatchObject(unavailable);
  expect(await caller.system.health()).toMatchObject({ status: "unhealthy" });
  await service.live.start();
  expect(await caller.snapshots.projects()).toEqual({ projects: [] });
  await service.live.stop();
  expect(await refusals()).toMatchObject(unavailable);
});

describe("an error on the wire", () => {
  async function answerOf(
    service: Awaited<ReturnType<typeof routed>>,
    path: string,
    input: unknown,
    who = ADMIN,
  ): Promise<{ status: number; error: { message: string; data: Record<string, unknown> } }> {
    const response = await fetchRequestHandler({
      endpoint: "/trpc",
      router: service.router,
      createContext: () => ({ identity: who }),
      req: new Request(`http://localhost/trpc/${path}`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(superjson.serialize(input)),
      }),
    });
    const body = (await response.json()) as {
      error: { json: { message: string; data: Record<string, unknown> } };
    };
    return { status: response.status, error: body.error.json };
  }

  test("carries the stable reason in its data, and no stack", async () => {
    await using service = await routed();
    const { status, error } = await answerOf(service, "snapshots.upsert", { workspaceId: "w" });
    expect(status).toBe(400);
    expect(error.data).toMatchObject({ code: "BAD_REQUEST", reason: "project-required" });
    expect(error.data).not.toHaveProperty("stack");
    const input = await answerOf(service, "snapshots.upsert", {});
    expect(input.error.data).toMatchObject({ code: "BAD_REQUEST", reason: "invalid-input" });
  });

  test("that is not ours has no reason, and says nothing of what happened inside", async () => {
    await using service = await routed();
    vi.spyOn(service.workspaces, "upsert").mockRejectedValue(new Error("postgres://user:secret@db"));
    const { status, error } = await answerOf(service, "snapshots.upsert", { workspaceId: "w", projectId: P });
    expect(status).toBe(500);
    expect(error.message).toBe("internal error");
    expect(JSON.stringify(error)).not.toContain("secret");
    expect(error.data).toMatchObject({ code: "INTERNAL_SERVER_ERROR" });
    expect(error.data).not.toHaveProperty("reason");
  });

  const codes: [SnapwireError["reason"], string][] = [
    ["invalid-input", "BAD_REQUEST"],
    ["project-required", "BAD_REQUEST"],
    ["other-project", "CONFLICT"],
    ["derived-field", "BAD_REQUEST"],
    ["conflict", "CONFLICT"],
    ["outcome-unknown", "GATEWAY_TIMEOUT"],
    ["unavailable", "SERVICE_UNAVAILABLE"],
    ["behind", "SERVICE_UNAVAILABLE"],
    ["unknown-workspace", "NOT_FOUND"],
  ];
  test.each(codes)("of reason %s is %s", async (reason, code) => {
    await using service = await routed();
    vi.spyOn(service.workspaces, "upsert").mockRejectedValue(new SnapwireError(reason, "for a person"));
    const { error } = await answerOf(service, "snapshots.upsert", { workspaceId: "w", projectId: P });
    expect(error).toMatchObject({ message: "for a person", data: { code, reason } });
  });
});

describe("a host's authorize", () => {
  function hosted(
    service: Awaited<ReturnType<typeof routed>>,
    authorize: (request: object) => boolean | Promise<boolean>,
  ) {
    const t = initTRPC.create();
    const { snapshots } = createSnapwireProcedures({ live: service.live, procedure: t.procedure, authorize });
    return t.router(snapshots).createCaller({});
  }

  test("that throws leaks nothing of why, on any procedure", async () => {
    await using service = await routed();
    await service.workspaces.upsert("w", { projectId: P });
    const caller = hosted(service, () => {
      throw new Error("postgres://user:secret@db");
    });
    for (const attempt of [
      caller.onProject({ projectId: P }),
      caller.onProjects(),
      caller.projects(),
      caller.byProject({ projectId: P }),
      caller.byWorkspace({ workspaceId: "w" }),
      caller.upsert({ workspaceId: "w", projectId: P }),
      caller.remove({ workspaceId: "w" }),
    ])
      expect(await refusalOf(attempt)).toEqual({ code: "INTERNAL_SERVER_ERROR", message: "internal error" });
  });

  test("that throws while a list is streamed leaks nothing either", async () => {
    await using service = await routed();
    await service.workspaces.upsert("w", { projectId: P });
    const caller = hosted(service, (request) => {
      if ("projectId" in request) throw new Error("postgres://user:secret@db");
      return true;
    });
    const { over } = follow(caller.onProjects());
    expect(await refusalOf(over)).toEqual({ code: "INTERNAL_SERVER_ERROR", message: "internal error" });
    expect(leftovers(service.live)).toEqual(NOTHING_LEFT);
  });

  test("that throws a TRPCError is sent as it is, whichever copy of tRPC made it", async () => {
    await using service = await routed();
    const own = new TRPCError({ code: "PAYMENT_REQUIRED", message: "pay first" });
    const others = Object.assign(new Error("pay first"), { name: "TRPCError", code: "PAYMENT_REQUIRED" });
    for (const error of [own, others]) {
      const caller = hosted(service, () => {
        throw error;
      });
      expect(await refusalOf(caller.projects())).toMatchObject({
        code: "PAYMENT_REQUIRED",
        message: "pay first",
      });
    }
  });

  test.each([undefined, null, 0, "yes", {}])(
    "that answers %s instead of a boolean allows nothing",
    async (answer) => {
      await using service = await routed();
      const caller = hosted(service, () => answer as boolean);
      expect(await refusalOf(caller.byProject({ projectId: P }))).toMatchObject({ code: "FORBIDDEN" });
    },
  );

  test("that is not there allows everybody whom the procedure lets through", async () => {
    await using service = await routed();
    const t = initTRPC.create();
    const { snapshots, system } = createSnapwireProcedures({ live: service.live, procedure: t.procedure });
    const caller = t.router({ snapshots: t.router(snapshots), system: t.router(system) }).createCaller({});
    await caller.snapshots.upsert({ workspaceId: "w", projectId: P });
    expect(await caller.snapshots.projects()).toEqual({ projects: [P] });
    expect(await caller.system.stats()).toMatchObject({ workspaces: 1 });
  });
});

test("a host's connection that throws is an internal error that says no more, and leaves nothing", async () => {
  await using service = await routed();
  const t = initTRPC.create();
  const { snapshots } = createSnapwireProcedures({
    live: service.live,
    procedure: t.procedure,
    connection: () => {
      throw new Error("postgres://user:secret@db");
    },
  });
  const caller = t.router(snapshots).createCaller({});
  for (const { over } of [follow(caller.onProject({ projectId: P })), follow(caller.onProjects())])
    expect(await refusalOf(over)).toEqual({ code: "INTERNAL_SERVER_ERROR", message: "internal error" });
  expect(leftovers(service.live)).toEqual(NOTHING_LEFT);
});

test("reasonOf finds the reason of ours and none in what is not", () => {
  const ours = new SnapwireError("conflict", "again");
  expect(reasonOf({ cause: ours })).toBe("conflict");
  expect(reasonOf({ cause: new Error("x") })).toBeUndefined();
  expect(reasonOf({})).toBeUndefined();
});
