/** Sources that fail, in part or as a whole: what is known stays, and nobody is told that it is fresh. */
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { NOON } from "./helpers/store-parts.ts";
import { begun, P, reconciled, seconds } from "./helpers/store-reconciled.ts";
import { type FakeSource, fakeSource } from "./helpers/store-source.ts";

const GIT_STATS = { total: 3, additions: 2, deletions: 1, hasUncommitted: false };

beforeEach(() => void vi.useFakeTimers({ now: NOON }));
afterEach(() => void vi.useRealTimers());

describe("a bad workspace never ends a pass", () => {
  test("L-D11 one at which the read throws costs no other its row, nor the pass its removals", async () => {
    const source = fakeSource("fake", {
      a: { projectId: P },
      bad: { projectId: P },
      z: { projectId: P },
      gone: { projectId: P },
    });
    await using service = await reconciled(source);
    source.throwing.add("bad");
    source.rows.set("a", { projectId: P, name: "a2" });
    source.rows.set("z", { projectId: P, name: "z2" });
    source.rows.delete("gone");
    await seconds(60);
    expect(new Set(service.names())).toEqual(new Set(["a", "bad", "z"]));
    expect(service.workspaces.getByWorkspaceId("a")?.name).toBe("a2");
    expect(service.workspaces.getByWorkspaceId("z")?.name).toBe("z2");
    expect(service.log.said(/unreadable/)).toMatchObject([{ facts: { workspaceId: "bad" } }]);
    expect(service.told(), "the source as a whole answers").toEqual([]);
  });

  test("L-D13 one that cannot be read keeps its last good values", async () => {
    const source = fakeSource("fake", { bad: { projectId: P, gitStats: GIT_STATS }, z: { projectId: P } });
    await using service = await reconciled(source);
    source.unreadable.add("bad");
    await seconds(120);
    expect(service.workspaces.getByWorkspaceId("bad")?.gitStats).toEqual(GIT_STATS);
    expect(service.heard).toHaveLength(2);
    source.unreadable.delete("bad");
    source.rows.set("bad", { projectId: P, gitStats: { ...GIT_STATS, total: 4 } });
    await seconds(60);
    expect(service.workspaces.getByWorkspaceId("bad")?.gitStats?.total).toBe(4);
  });

  test("one whose row is refused costs no other its row, and is named in the log", async () => {
    const source = fakeSource("fake", { a: { projectId: P }, bad: { status: "READY" }, z: { projectId: P } });
    await using service = await reconciled(source);
    expect(service.names()).toEqual(["a", "z"]);
    expect(service.log.said(/refused/)).toMatchObject([{ facts: { workspaceId: "bad", source: "fake" } }]);
    expect(service.live.complete(P), "it was heard of").toBe(true);
  });

  test("a row that nobody asked for is not taken", async () => {
    const source = fakeSource("fake", { w: { projectId: P } });
    const { read } = source;
    source.read = async (ids, signal) => [
      ...(await read(ids, signal)),
      { workspaceId: "stray", projectId: P },
    ];
    await using service = await reconciled(source);
    expect(service.names()).toEqual(["w"]);
  });
});

describe("a source that cannot answer", () => {
  test("has nothing removed, and its projects are told so, and told again when it is back", async () => {
    const source = fakeSource("fake", { w: { projectId: P } });
    await using service = await reconciled(source);
    source.listError = new Error("away");
    source.rows.clear();
    await seconds(60);
    expect(service.names()).toEqual(["w"]);
    expect(service.told()).toEqual(["source-unavailable"]);
    expect(service.live.health().checks.sources).toMatchObject({ ok: false });
    source.listError = undefined;
    source.rows.set("w", { projectId: P });
    await seconds(1);
    expect(service.told()).toEqual([true]);
    expect(service.live.health().checks.sources).toMatchObject({ ok: true });
    expect(service.names()).toEqual(["w"]);
  });

  test("is asked again after 1 s, then 2 s, 4 s and so on, at most a minute apart", async () => {
    const source = fakeSource("fake", { w: { projectId: P } });
    await using service = await reconciled(source);
    source.listError = new Error("away");
    await seconds(60);
    await seconds(247);
    const gaps = source.lists.slice(2).map((at, i) => (at - (source.lists[i + 1] ?? 0)) / 1_000);
    expect(gaps).toEqual([1, 2, 4, 8, 16, 32, 60, 60, 60]);
    expect(service.log.said(/cannot/), "said each time it was asked").toHaveLength(10);
    source.listError = undefined;
    await seconds(60);
    const { length } = source.lists;
    await seconds(60);
    expect(source.lists, "back to normal").toHaveLength(length + 1);
    source.listError = new Error("away again");
    await seconds(70);
    const [away = 0, retried = 0] = source.lists.slice(length + 1);
    expect(retried - away, "from the start again").toBe(1_000);
  });

  test("and comes back, freshens also the projects that it has no workspace in any more", async () => {
    const source = fakeSource("fake", { w: { projectId: P } });
    await using service = await reconciled(source);
    source.listError = new Error("away");
    await seconds(60);
    expect(service.told()).toEqual(["source-unavailable"]);
    await service.workspaces.upsert("w", { projectId: "elsewhere" });
    source.listError = undefined;
    source.rows.set("w", { projectId: "elsewhere" });
    await seconds(1);
    expect(service.told()).toEqual([true]);
    expect(service.live.health().checks.sources).toMatchObject({ ok: true });
  });

  test("for any of its workspaces is away, though it can list them", async () => {
    const source = fakeSource("fake", { w: { projectId: P }, v: { projectId: P } });
    await using service = await reconciled(source);
    source.throwing.add("w").add("v");
    await seconds(60);
    expect(service.told()).toEqual(["source-unavailable"]);
    expect(service.names()).toEqual(["w", "v"]);
    source.throwing.clear();
    await seconds(1);
    expect(service.told()).toEqual([true]);
  });

  test("is not asked for every one of a thousand workspaces before that is clear", async () => {
    const ids = Array.from({ length: 1_000 }, (_, i) => `w${i}`);
    const source = fakeSource("fake", Object.fromEntries(ids.map((id) => [id, { projectId: P }])));
    for (const id of ids) source.throwing.add(id);
    await using service = await begun(source);
    expect(source.reads.length).toBeLessThan(60);
    expect(service.live.complete(P), "L-D10 nothing is known, which is not the same as empty").toBe(false);
  });

  const nonsense: [string, (source: FakeSource) => void][] = [
    ["a list that is none", (source) => Object.assign(source, { list: () => undefined })],
    ["rows that are none", (source) => Object.assign(source, { read: () => undefined })],
    ["a row that is null", (source) => Object.assign(source, { read: () => [null] })],
    [
      "projects that throw",
      (source) =>
        Object.assign(source, {
          projects: () => {
            throw new Error("on purpose");
          },
        }),
    ],
  ];
  test.each(nonsense)(
    "and answers with %s is asked again, and nothing else breaks",
    async (_what, breakIt) => {
      const source = fakeSource("fake", { w: { projectId: P } });
      const sound = { list: source.list, read: source.read };
      const other = fakeSource("other", { v: { projectId: P } });
      await using service = await reconciled(source, { sources: [source, other] });
      breakIt(source);
      source.rows.set("w", { projectId: P, name: "after" });
      await seconds(60);
      expect(new Set(service.names())).toEqual(new Set(["w", "v"]));
      expect(service.told()).toEqual(["source-unavailable"]);
      Object.assign(source, sound, { projects: undefined });
      await seconds(10);
      expect(service.workspaces.getByWorkspaceId("w")?.name).toBe("after");
      expect(service.told()).toEqual([true]);
    },
  );
});
