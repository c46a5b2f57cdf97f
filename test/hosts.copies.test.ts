/** A host that runs on another copy of `@trpc/server`: resuming is never lost without a word. */
import * as current from "@trpc/client";
import { initTRPC } from "@trpc/server";
import superjson from "superjson";
import { describe, expect, test } from "vitest";
import { createSnapwireProcedures, type Snapwire } from "../src/index.ts";
import { isSameTRPC } from "../src/router/same-trpc.ts";
import { type ClientLibrary, hearing, serveSockets, stockSocketClient } from "./helpers/host-serve.ts";
import { follow, refusalOf, worded } from "./helpers/router-callers.ts";
import { keptLog, running } from "./helpers/store-parts.ts";
import { until } from "./helpers/store-until.ts";
import * as middle from "./hosts/middle/trpc.ts";
import * as oldest from "./hosts/oldest/trpc.ts";

const P = "project";

const copies: [string, typeof oldest | typeof middle][] = [
  ["11.9.0", oldest],
  ["11.22.1", middle],
];

/** The host's router on its own copy; the types of two copies are not each other's, so they are left out here. */
function routerOf(trpc: typeof oldest | typeof middle, live: Snapwire, withTracked: boolean) {
  const log = keptLog();
  const t = (trpc as typeof oldest).initTRPC.create({ transformer: superjson });
  const { snapshots } = createSnapwireProcedures({
    live,
    procedure: t.procedure as never,
    logger: log.logger,
    ...(withTracked ? { tracked: trpc.tracked as never } : {}),
  });
  const router = t.router({ snapshots: t.router(snapshots as never) });
  type Caller = ReturnType<ReturnType<typeof typed>["createCaller"]>;
  return {
    router,
    log,
    caller: (signal?: AbortSignal) => router.createCaller({}, signal ? { signal } : {}) as unknown as Caller,
  };
}

function typed(live: Snapwire) {
  const t = initTRPC.create();
  return t.router({
    snapshots: t.router(createSnapwireProcedures({ live, procedure: t.procedure }).snapshots),
  });
}

test("one copy is recognised as one, also behind middlewares and with a context", async () => {
  const t = initTRPC.context<{ user: string }>().create({ transformer: superjson });
  expect(await isSameTRPC(t.procedure)).toBe(true);
  let ran = 0;
  const guarded = t.procedure.use(({ next }) => {
    ran += 1;
    return next();
  });
  expect(await isSameTRPC(guarded)).toBe(true);
  expect(ran, "nothing of the host's runs for it").toBe(0);
});

test("what does not look like a procedure that we know is taken for one copy", async () => {
  expect(await isSameTRPC({ input: () => ({}) })).toBe(true);
  expect(await isSameTRPC({ input: () => ({ _def: { middlewares: ["not a function"] } }) })).toBe(true);
});

describe.each(copies)("on %s", (_version, trpc) => {
  test("without the host's tracked a subscription is refused, with words that say what to do, also in the log", async () => {
    await using service = await running();
    const { caller, log } = routerOf(trpc, service.live, false);
    for (const attempt of [caller().snapshots.onProject({ projectId: P }), caller().snapshots.onProjects()]) {
      const { code, message } = await refusalOf(attempt);
      expect(code).toBe("INTERNAL_SERVER_ERROR");
      expect(message).toMatch(/different copies of @trpc\/server.*npm ls @trpc\/server.*tracked/);
    }
    await until(() => expect(log.said(/different copies/)).toHaveLength(1));
    expect(service.live.feed.size).toBe(0);
  });

  test("queries and mutations work without it, and refuse with the same codes", async () => {
    await using service = await running();
    const { caller } = routerOf(trpc, service.live, false);
    await caller().snapshots.upsert({ workspaceId: "w", projectId: P });
    expect((await caller().snapshots.byProject({ projectId: P })).entries).toHaveLength(1);
    expect(await refusalOf(caller().snapshots.upsert({ workspaceId: "v" }))).toMatchObject({
      code: "BAD_REQUEST",
      reason: "project-required",
    });
    expect(await refusalOf(caller().snapshots.byProject({ projectId: "" }))).toMatchObject({
      code: "BAD_REQUEST",
      reason: "invalid-input",
    });
  });

  test("with the host's tracked a caller gets frames with positions, and resumes", async () => {
    await using service = await running();
    const { caller } = routerOf(trpc, service.live, true);
    const abort = new AbortController();
    const first = follow(caller(abort.signal).snapshots.onProject({ projectId: P }));
    await until(() => expect(worded(first.data())).toEqual(["full first"]));
    abort.abort();
    await first.over;
    await service.live.workspaces.upsert("w", { projectId: P });
    const again = new AbortController();
    const second = follow(
      caller(again.signal).snapshots.onProject({ projectId: P, lastEventId: first.lastId() ?? "" }),
    );
    await until(() => expect(worded(second.data())).toEqual(["resumed 1", "changed w"]));
    again.abort();
  });

  test.each([
    ["of its own age", trpc as unknown as ClientLibrary],
    ["of today", current as unknown as ClientLibrary],
  ])("with the host's tracked a stock client %s resumes over a lost socket", async (_age, library) => {
    await using service = await running();
    const { router } = routerOf(trpc, service.live, true);
    await using served = await serveSockets(router, () => ({}), trpc.applyWSSHandler);
    await using client = stockSocketClient(library, served.url, ["snapshots"]);
    const { data, errors } = hearing(client.snapshots, { projectId: P });
    await until(() => expect(worded(data())).toEqual(["full first"]));
    await service.live.workspaces.upsert("w", { projectId: P });
    await until(() => expect(worded(data()).at(-1)).toBe("changed w"));
    served.cut();
    await service.live.workspaces.upsert("v", { projectId: P });
    await until(() => expect(worded(data()).slice(2)).toEqual(["resumed 1", "changed v"]));
    expect(errors).toEqual([]);
  });
});
