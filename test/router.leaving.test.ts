/** Subscribers that go, and services that end: nothing is left of either. */
import { describe, expect, test } from "vitest";
import { unwrap } from "../src/testing.ts";
import {
  ADMIN,
  follow,
  leftovers,
  NOTHING_LEFT,
  refusalOf,
  routed,
  subscribed,
  worded,
} from "./helpers/router-callers.ts";
import { until } from "./helpers/store-until.ts";

const P = "project";

describe("P8 leaving", () => {
  const ways: [string, (service: Awaited<ReturnType<typeof routed>>) => Promise<void>][] = [
    [
      "by abort while waiting",
      async (service) => {
        const { abort, data, over } = subscribed(service);
        await until(() => expect(data()).toHaveLength(1));
        abort.abort();
        await over;
      },
    ],
    [
      "by abort before the first frame is asked for",
      async (service) => {
        const abort = new AbortController();
        const iterable = await service
          .as(ADMIN, { signal: abort.signal })
          .snapshots.onProject({ projectId: P });
        abort.abort();
        for await (const _ of iterable) throw new Error("a frame after the abort");
      },
    ],
    [
      "with a signal that was aborted from the start",
      async (service) => {
        const { over, frames } = subscribedWith(service, AbortSignal.abort());
        await over;
        expect(frames).toEqual([]);
      },
    ],
    [
      "by break out of the loop",
      async (service) => {
        const abort = new AbortController();
        const iterable = await service
          .as(ADMIN, { signal: abort.signal })
          .snapshots.onProject({ projectId: P });
        for await (const _ of iterable) break;
        abort.abort();
      },
    ],
    [
      "by break, without any signal",
      async (service) => {
        for await (const { data } of unwrap(service.as(ADMIN).snapshots.onProject({ projectId: P }))) {
          expect(data.type).toBe("snapshot_full");
          break;
        }
      },
    ],
    [
      "by throwing in the loop",
      async (service) => {
        const loop = async (): Promise<void> => {
          for await (const _ of unwrap(service.as(ADMIN).snapshots.onProject({ projectId: P })))
            throw new Error("on purpose");
        };
        await expect(loop()).rejects.toThrow("on purpose");
      },
    ],
    [
      "without ever asking for a frame",
      async (service) => void (await service.as(ADMIN).snapshots.onProject({ projectId: P })),
    ],
  ];

  test.each(ways)("P8 %s leaves nothing", async (_how, leave) => {
    await using service = await routed();
    const listeners = service.workspaces.listenerCount("snapshot_changed");
    await leave(service);
    expect(leftovers(service.live)).toEqual(NOTHING_LEFT);
    expect(service.workspaces.listenerCount("snapshot_changed")).toBe(listeners);
  });

  test("P8 a thousand callers that come and go, in every way, leave nothing, and the store had one listener", async () => {
    await using service = await routed();
    await service.workspaces.upsert("w", { projectId: P });
    const listeners = service.workspaces.listenerCount("snapshot_changed");
    const coming = Array.from({ length: 1_000 }, (_, i) => {
      const abort = new AbortController();
      const caller = service.as(ADMIN, { signal: abort.signal });
      const lastEventId = i % 3 === 0 ? "nonsense" : undefined;
      const { frames, over } =
        i % 10 === 0
          ? follow(caller.snapshots.onProjects())
          : follow(
              caller.snapshots.onProject({ projectId: `p${i % 7}`, ...(lastEventId && { lastEventId }) }),
            );
      return { abort, count: () => frames.length, over };
    });
    await until(() => expect(coming.every(({ count }) => count() === 1)).toBe(true));
    expect(service.live.feed.size).toBe(900);
    expect(service.workspaces.listenerCount("snapshot_changed")).toBe(listeners);
    for (const { abort } of coming) abort.abort();
    await Promise.all(coming.map(({ over }) => over));
    expect(leftovers(service.live)).toEqual(NOTHING_LEFT);
    expect(service.live.stats()).toMatchObject({ subscriptions: 0 });
  });
});

describe("the end of a subscription", () => {
  test("of a project that ends is said, and then it returns", async () => {
    await using service = await routed();
    const ending = subscribed(service);
    const other = subscribed(service, { projectId: "other" });
    await until(() => expect([ending.frames.length, other.frames.length]).toEqual([1, 1]));
    service.live.endProject(P);
    await ending.over;
    expect(ending.data().at(-1)).toEqual({ type: "snapshot_ended", projectId: P, reason: "project-gone" });
    expect(other.isOver()).toBe(false);
    other.abort.abort();
  });

  test("comes with the stop of the service, for those who watch a project and those who watch the list", async () => {
    const service = await routed();
    const project = subscribed(service);
    const list = follow(service.as(ADMIN).snapshots.onProjects());
    await until(() => expect([project.frames.length, list.frames.length]).toEqual([1, 1]));
    await service.live.stop();
    await Promise.all([project.over, list.over]);
    expect(worded(project.data()), "no last word: they resume elsewhere").toEqual(["full first"]);
    expect(leftovers(service.live)).toEqual(NOTHING_LEFT);
  });

  test("comes at once for one that was accepted before the stop and begins after it", async () => {
    const service = await routed();
    const caller = service.as(ADMIN);
    const iterables = [
      await caller.snapshots.onProject({ projectId: P }),
      await caller.snapshots.onProjects(),
    ];
    await service.live.stop();
    const [project, list] = iterables.map((iterable) => follow(iterable as AsyncIterable<never>));
    expect(await refusalOf(project?.over ?? Promise.resolve())).toMatchObject({ reason: "unavailable" });
    await list?.over;
    expect(list?.frames).toEqual([]);
    expect(leftovers(service.live)).toEqual(NOTHING_LEFT);
  });
});

function subscribedWith(service: Awaited<ReturnType<typeof routed>>, signal: AbortSignal) {
  return follow(service.as(ADMIN, { signal }).snapshots.onProject({ projectId: P }));
}
