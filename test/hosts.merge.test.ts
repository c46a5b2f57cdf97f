/** A host merges the records into its own router: its context, auth, transformer and error format hold for them too. */
import { describe, expect, test } from "vitest";
import { ADA, mergedRouters } from "./helpers/host-router.ts";
import { follow, leftovers, NOTHING_LEFT, refusalOf, worded } from "./helpers/router-callers.ts";
import { running } from "./helpers/store-parts.ts";
import { until } from "./helpers/store-until.ts";

const RED = "red";
const CTX = { user: ADA, requestId: "r1" };

async function hosted() {
  const service = await running();
  return { ...service, ...mergedRouters(service.live), [Symbol.asyncDispose]: () => service.live.stop() };
}

test("the host's middlewares run before ours, and authorize sees the context that they made", async () => {
  await using host = await hosted();
  const caller = host.flat.createCaller(CTX);
  await caller.snapshots.upsert({ workspaceId: "w", projectId: RED, status: "READY" });
  const { entries } = await caller.snapshots.byProject({ projectId: RED });
  expect(entries).toMatchObject([{ workspaceId: "w", status: "READY" }]);
  expect(host.middlewares).toEqual(["snapshots.upsert", "snapshots.byProject"]);
  expect(host.asked).toEqual([
    { action: "write", projectId: RED, by: "ada/r1" },
    { action: "read", projectId: RED, by: "ada/r1" },
  ]);
});

test("the host's own refusal comes first, and ours after it", async () => {
  await using host = await hosted();
  const stranger = host.flat.createCaller({ user: null, requestId: "r2" });
  expect(await refusalOf(stranger.snapshots.onProject({ projectId: RED }))).toMatchObject({
    code: "UNAUTHORIZED",
    message: "Sign in first.",
  });
  expect(host.asked).toEqual([]);
  const ada = host.flat.createCaller(CTX);
  expect(await refusalOf(ada.snapshots.onProject({ projectId: "blue" }))).toMatchObject({
    code: "FORBIDDEN",
  });
  expect(await refusalOf(ada.snapshots.onProject({ projectId: "" }))).toMatchObject({ code: "BAD_REQUEST" });
});

test("the host's own procedures stay what they were", async () => {
  await using host = await hosted();
  for (const router of [host.flat, host.nested, host.merged, host.top])
    expect(await router.createCaller(CTX).whoami()).toEqual({ name: "ada", since: new Date(0) });
});

describe("the records work at any depth", () => {
  const ways: [string, (host: Awaited<ReturnType<typeof hosted>>, signal: AbortSignal) => unknown][] = [
    ["in a sub-router", (host, signal) => host.flat.createCaller(CTX, { signal }).snapshots],
    ["two deep", (host, signal) => host.nested.createCaller(CTX, { signal }).team.live.snapshots],
    ["by mergeRouters", (host, signal) => host.merged.createCaller(CTX, { signal }).snapshots],
    ["at the top", (host, signal) => host.top.createCaller(CTX, { signal })],
  ];
  test.each(ways)("%s", async (_how, snapshotsOf) => {
    await using host = await hosted();
    const abort = new AbortController();
    const snapshots = snapshotsOf(host, abort.signal) as ReturnType<
      typeof host.flat.createCaller
    >["snapshots"];
    const { data, over } = follow(snapshots.onProject({ projectId: RED }));
    await until(() => expect(worded(data())).toEqual(["full first"]));
    await snapshots.upsert({ workspaceId: "w", projectId: RED });
    await until(() => expect(worded(data()).at(-1)).toBe("changed w"));
    abort.abort();
    await over;
    expect(leftovers(host.live)).toEqual(NOTHING_LEFT);
  });
});

test("one service may be merged into several routers", async () => {
  await using host = await hosted();
  const other = mergedRouters(host.live);
  await host.flat.createCaller(CTX).snapshots.upsert({ workspaceId: "w", projectId: RED });
  const { entries } = await other.flat.createCaller(CTX).snapshots.byProject({ projectId: RED });
  expect(entries).toHaveLength(1);
});
