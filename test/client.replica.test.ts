import { afterEach, beforeEach, describe, expect, expectTypeOf, test, vi } from "vitest";
import type { ClientConnection } from "../client/connection-state.ts";
import { ClientClosedError } from "../client/failure.ts";
import { createProjectReplica, type ProjectReplica, type ProjectReplicaOptions } from "../client/replica.ts";
import { FakePage, FakeSnapshots, trpcError } from "./helpers/client-fakes.ts";
import {
  changed,
  ended,
  entry,
  full,
  OTHER_TAG,
  progress,
  removed,
  resumed,
  status,
  TAG,
  type TestEntry,
} from "./helpers/client-frames.ts";

beforeEach(() => {
  vi.useFakeTimers({ now: 1_000_000 });
});
afterEach(() => {
  expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
});

interface Watched {
  readonly snapshots: FakeSnapshots;
  readonly page: FakePage;
  readonly replica: ProjectReplica<TestEntry>;
  readonly warnings: string[];
}

/** A replica that is closed, and found to leave nothing behind, after the test. */
async function watching(
  use: (watched: Watched) => Promise<void> | void,
  options: Partial<ProjectReplicaOptions> = {},
): Promise<void> {
  const snapshots = new FakeSnapshots();
  const page = new FakePage();
  const warnings: string[] = [];
  const replica = createProjectReplica(snapshots, {
    projectId: "p",
    surroundings: page,
    retry: { random: () => 0.5 },
    onWarning: (message) => warnings.push(message),
    ...options,
  });
  try {
    await use({ snapshots, page, replica, warnings });
  } finally {
    await replica.close();
    expect(snapshots.open).toBe(0);
    expect(page.listeners).toBe(0);
  }
}

const names = (replica: ProjectReplica<TestEntry>): string[] =>
  replica.getSnapshot().entries.map(({ name }) => name);

/** tRPC lost its socket and is making a new one. */
function loseConnection(snapshots: FakeSnapshots, message = "WebSocket closed"): void {
  snapshots.current.callbacks.onConnectionStateChange({ state: "connecting", error: new Error(message) });
}

describe("status", () => {
  test("is connecting until the first full, then live; an empty project is live too", () =>
    watching(({ snapshots, replica }) => {
      expect(replica.getSnapshot()).toMatchObject({ status: "connecting", entries: [], position: undefined });
      snapshots.current.callbacks.onConnectionStateChange({ state: "connecting", error: null });
      expect(replica.status).toBe("connecting");
      expect(replica.reason).toBeUndefined();
      snapshots.current.deliver(full(5, []));
      expect(replica.getSnapshot()).toMatchObject({ status: "live", entries: [], position: `${TAG}.5` });
    }));

  test("is live with `complete` false while the first pass runs, until progress says that it is done", () =>
    watching(({ snapshots, replica }) => {
      snapshots.current.deliver(full(5, [], { complete: false }));
      expect(replica.getSnapshot()).toMatchObject({ status: "live", complete: false });
      snapshots.current.deliver(progress(5, true));
      expect(replica.getSnapshot()).toMatchObject({ status: "live", complete: true });
    }));

  test("is reconnecting from a lost connection to the first frame of the next, with the old view", () =>
    watching(({ snapshots, replica }) => {
      snapshots.current.deliver(full(5, [entry("a", 5)]));
      loseConnection(snapshots, "WebSocket closed");
      expect(replica.getSnapshot()).toMatchObject({
        status: "reconnecting",
        reason: "connection-lost",
        detail: "WebSocket closed",
      });
      expect(names(replica)).toEqual(["a at 5"]);
      snapshots.current.callbacks.onConnectionStateChange({ state: "pending", error: null });
      expect(replica.status).toBe("reconnecting"); // connected is not yet subscribed
      snapshots.current.deliver(resumed(5));
      expect(replica.getSnapshot()).toMatchObject({ status: "live", reason: undefined, detail: undefined });
      expect(snapshots.subscriptions).toHaveLength(1); // sockets are tRPC's to replace
    }));

  test("is catching-up after a resume until the position reaches `until`", () =>
    watching(({ snapshots, replica }) => {
      snapshots.current.deliver(full(5, []));
      loseConnection(snapshots);
      snapshots.current.deliver(resumed(5, 9, { missed: 2 }));
      expect(replica.status).toBe("catching-up");
      snapshots.current.deliver(changed(7, "a"));
      expect(replica.status).toBe("catching-up");
      snapshots.current.deliver(changed(9, "b"));
      expect(replica.status).toBe("live");
    }));

  test("is stale while the source of truth is away, with the server's reason", () =>
    watching(({ snapshots, replica }) => {
      snapshots.current.deliver(full(5, []), status(5, false, "git is missing"));
      expect(replica.getSnapshot()).toMatchObject({
        status: "stale",
        reason: "source-away",
        detail: "git is missing",
      });
      snapshots.current.deliver(status(5, true));
      expect(replica.getSnapshot()).toMatchObject({ status: "live", reason: undefined, detail: undefined });
    }));

  test("is offline when nothing was heard for 30 s, and live again at the first frame", () =>
    watching(async ({ snapshots, replica }) => {
      snapshots.current.deliver(full(5, []));
      loseConnection(snapshots);
      await vi.advanceTimersByTimeAsync(29_999);
      expect(replica.status).toBe("reconnecting");
      await vi.advanceTimersByTimeAsync(1);
      expect(replica.status).toBe("offline");
      snapshots.current.deliver(resumed(5));
      expect(replica.status).toBe("live");
    }));

  test("is not offline because a project is quiet", () =>
    watching(async ({ snapshots, replica }) => {
      snapshots.current.deliver(full(5, []));
      await vi.advanceTimersByTimeAsync(3_600_000);
      expect(replica.status).toBe("live");
      loseConnection(snapshots);
      expect(replica.status).toBe("reconnecting");
    }));

  test("that changes with the network alone is told", () =>
    watching(async ({ snapshots, page, replica }) => {
      snapshots.current.deliver(full(5, []));
      loseConnection(snapshots);
      await vi.advanceTimersByTimeAsync(0);
      const told: string[] = [];
      replica.subscribe(() => told.push(replica.status));
      page.setOnline(false);
      await vi.advanceTimersByTimeAsync(0);
      page.setOnline(true);
      await vi.advanceTimersByTimeAsync(0);
      await vi.advanceTimersByTimeAsync(30_000);
      expect(told).toEqual(["offline", "reconnecting", "offline"]);
    }));

  test("is offline at once when the device says so, but not while frames arrive", () =>
    watching(({ snapshots, page, replica }) => {
      snapshots.current.deliver(full(5, []));
      page.setOnline(false);
      expect(replica.status).toBe("live"); // a server on the same machine needs no network
      loseConnection(snapshots);
      expect(replica.status).toBe("offline");
      page.setOnline(true);
      expect(replica.status).toBe("reconnecting");
    }));

  test("is offline after 30 s without a first connection", () =>
    watching(async ({ replica }) => {
      await vi.advanceTimersByTimeAsync(30_000);
      expect(replica.getSnapshot()).toMatchObject({ status: "offline", position: undefined });
    }));

  test("carries the time of the last proof of life, which any frame is", () =>
    watching(async ({ snapshots, replica }) => {
      expect(replica.lastProofOfLife).toBeUndefined();
      snapshots.current.deliver(full(5, []));
      expect(replica.lastProofOfLife).toBe(1_000_000);
      await vi.advanceTimersByTimeAsync(700);
      snapshots.current.callbacks.onData({ id: `${TAG}.6`, data: { type: "of a later version" } });
      expect(replica.lastProofOfLife).toBe(1_000_700);
    }));
});

describe("the end of a subscription", () => {
  test.each(["UNAUTHORIZED", "FORBIDDEN"])("%s is denied, and final", (code) =>
    watching(async ({ snapshots, replica }) => {
      snapshots.current.deliver(full(5, [entry("a", 5)]));
      snapshots.current.callbacks.onError(trpcError(code, "not yours"));
      expect(replica.getSnapshot()).toMatchObject({
        status: "denied",
        reason: code.toLowerCase(),
        detail: "not yours",
      });
      await vi.advanceTimersByTimeAsync(3_600_000);
      expect(snapshots.subscriptions).toHaveLength(1);
      expect(names(replica)).toEqual(["a at 5"]);
    }),
  );

  test.each([
    ["a host's own error formatter", { shape: { code: -32003 } }, "forbidden"],
    ["an HTTP status", { data: { httpStatus: 401 } }, "unauthorized"],
  ])("a refusal is recognised by %s", (_name, parts, reason) =>
    watching(({ snapshots, replica }) => {
      snapshots.current.callbacks.onError(Object.assign(new Error("no"), parts));
      expect(replica.getSnapshot()).toMatchObject({ status: "denied", reason });
    }),
  );

  test("after denied, retry() subscribes again, from the own position", () =>
    watching(({ snapshots, replica }) => {
      snapshots.current.deliver(full(5, []), changed(8, "a"));
      snapshots.current.callbacks.onError(trpcError("FORBIDDEN"));
      replica.retry();
      expect(snapshots.subscriptions).toHaveLength(2);
      expect(snapshots.current.input).toEqual({ projectId: "p", lastEventId: `${TAG}.8` });
      snapshots.current.deliver(resumed(8));
      expect(replica.status).toBe("live");
    }));

  test.each(["revoked", "project-gone"] as const)("snapshot_ended (%s) is ended, and final", (reason) =>
    watching(async ({ snapshots, replica }) => {
      const { current } = snapshots;
      current.deliver(full(5, []), ended(5, reason));
      expect(replica.getSnapshot()).toMatchObject({ status: "ended", reason });
      current.callbacks.onStopped();
      current.callbacks.onComplete();
      await vi.advanceTimersByTimeAsync(3_600_000);
      expect(snapshots.subscriptions).toHaveLength(1);
      expect(replica.status).toBe("ended");
    }),
  );

  test.each(["INTERNAL_SERVER_ERROR", "SERVICE_UNAVAILABLE", "TIMEOUT", undefined])(
    "an error (%s) is followed by a new subscription from the own position, after a wait",
    (code) =>
      watching(async ({ snapshots, replica }) => {
        snapshots.current.deliver(full(5, []), changed(8, "a"));
        snapshots.current.callbacks.onError(code ? trpcError(code, "oops") : new Error("oops"));
        expect(replica.getSnapshot()).toMatchObject({
          status: "reconnecting",
          reason: "server-error",
          detail: "oops; next attempt in 0.8 s",
        });
        await vi.advanceTimersByTimeAsync(749);
        expect(snapshots.subscriptions).toHaveLength(1);
        await vi.advanceTimersByTimeAsync(1);
        expect(snapshots.current.input).toEqual({ projectId: "p", lastEventId: `${TAG}.8` });
        snapshots.current.deliver(resumed(8));
        expect(replica.status).toBe("live");
      }),
  );

  test("the server stopping it is followed by one new subscription", () =>
    watching(async ({ snapshots, replica }) => {
      const { current } = snapshots;
      current.deliver(full(5, []));
      current.callbacks.onStopped();
      current.callbacks.onComplete();
      expect(replica.getSnapshot()).toMatchObject({ status: "reconnecting", reason: "server-stopped" });
      await vi.advanceTimersByTimeAsync(60_000);
      expect(snapshots.subscriptions).toHaveLength(2);
    }));

  test("a tRPC client that was closed by its owner is not opened again", () =>
    watching(async ({ snapshots, replica }) => {
      snapshots.current.deliver(full(5, []));
      snapshots.current.callbacks.onComplete(); // without `stopped`: that is how a closed client ends it
      expect(replica.getSnapshot()).toMatchObject({ status: "ended", reason: "client-closed" });
      await vi.advanceTimersByTimeAsync(3_600_000);
      expect(snapshots.subscriptions).toHaveLength(1);
    }));

  test("a closed Snapwire client refuses, and the replica has ended", () =>
    watching(({ snapshots, replica }) => {
      snapshots.current.callbacks.onError(Object.assign(new Error("x"), { cause: new ClientClosedError() }));
      expect(replica.getSnapshot()).toMatchObject({ status: "ended", reason: "client-closed" });
    }));

  test("an error inside subscribe, thrown or told, is retried and leaves no subscription behind", () =>
    watching(async ({ snapshots, replica }) => {
      snapshots.current.callbacks.onError(new Error("first"));
      snapshots.onSubscribe = (subscription) => subscription.callbacks.onError(new Error("told at once"));
      await vi.advanceTimersByTimeAsync(750);
      expect(replica.detail).toContain("told at once");
      expect(snapshots.current.unsubscribed).toBe(1);
      snapshots.onSubscribe = () => {
        throw new Error("thrown at once");
      };
      await vi.advanceTimersByTimeAsync(1_250);
      expect(replica.detail).toContain("thrown at once");
      snapshots.onSubscribe = undefined;
      snapshots.subscriptions.length = 0;
      await vi.advanceTimersByTimeAsync(2_250);
      snapshots.current.deliver(full(5, []));
      expect(replica.status).toBe("live");
    }));
});

describe("attempts", () => {
  test("wait longer each time, never shorter than the floor and never longer than the cap", () =>
    watching(
      async ({ snapshots }) => {
        const waits: number[] = [];
        for (let attempt = 0; attempt < 9; attempt += 1) {
          const before = Date.now();
          snapshots.current.callbacks.onError(new Error("no"));
          await vi.advanceTimersToNextTimerAsync();
          waits.push(Date.now() - before);
        }
        expect(waits).toEqual([100, 100, 100, 100, 100, 100, 100, 100, 100]);
      },
      { retry: { floorMs: 100, capMs: 5_000, random: () => 0 } },
    ));

  test("are spread over a window that doubles up to the cap", () =>
    watching(
      async ({ snapshots, replica }) => {
        const waits: string[] = [];
        for (let attempt = 0; attempt < 6; attempt += 1) {
          snapshots.current.callbacks.onError(new Error("no"));
          waits.push(replica.detail?.replace("no; next attempt in ", "") ?? "");
          await vi.advanceTimersByTimeAsync(6_000);
        }
        expect(waits).toEqual(["1.1 s", "2.1 s", "4.1 s", "5.0 s", "5.0 s", "5.0 s"]);
      },
      { retry: { floorMs: 100, capMs: 5_000, random: () => 0.999_999 } },
    ));

  test("start again with the shortest wait only after a subscription that was in touch for 10 s", () =>
    watching(async ({ snapshots, replica }) => {
      const failAfter = async (ms: number): Promise<string | undefined> => {
        snapshots.current.deliver(snapshots.subscriptions.length === 1 ? full(5, []) : resumed(5));
        await vi.advanceTimersByTimeAsync(ms);
        snapshots.current.callbacks.onError(new Error("no"));
        const { detail } = replica;
        await vi.advanceTimersByTimeAsync(30_000);
        return detail;
      };
      expect(await failAfter(100)).toContain("0.8 s");
      expect(await failAfter(100)).toContain("1.3 s"); // a stream that opens and fails at once is not hammered
      expect(await failAfter(9_999)).toContain("2.3 s");
      expect(await failAfter(10_000)).toContain("0.8 s");
    }));

  test("come at once when the page is looked at again or the network is back", () =>
    watching(async ({ snapshots, page }) => {
      snapshots.current.callbacks.onError(new Error("no"));
      page.wake();
      await vi.advanceTimersByTimeAsync(0);
      expect(snapshots.subscriptions).toHaveLength(2);
      page.wake();
      await vi.advanceTimersByTimeAsync(60_000);
      expect(snapshots.subscriptions).toHaveLength(2); // under way: nothing to hurry
    }));

  test("come at once with retry()", () =>
    watching(async ({ snapshots, replica }) => {
      snapshots.current.callbacks.onError(new Error("no"));
      replica.retry();
      await vi.advanceTimersByTimeAsync(0);
      expect(snapshots.subscriptions).toHaveLength(2);
    }));

  test("are rare while nobody looks", () =>
    watching(async ({ snapshots, page, replica }) => {
      page.visible = false;
      snapshots.current.callbacks.onError(new Error("no"));
      expect(replica.detail).toContain("15.1 s");
      page.wake();
      await vi.advanceTimersByTimeAsync(0);
      expect(snapshots.subscriptions).toHaveLength(2);
    }));
});

describe("resync in circles", () => {
  test("the same full reason twice without a delta between pauses the subscription, longer each time, and says so", () =>
    watching(async ({ snapshots, replica }) => {
      snapshots.current.deliver(full(5, [entry("a", 5)]));
      const details: (string | undefined)[] = [];
      snapshots.onSubscribe = (subscription) =>
        queueMicrotask(() => subscription.deliver(full(5, [entry("a", 5)], { reason: "trimmed" })));
      snapshots.current.deliver(full(5, [entry("a", 5)], { reason: "trimmed" }));
      expect(replica.status).toBe("live"); // once is how a resync works
      snapshots.current.deliver(full(5, [entry("a", 5)], { reason: "trimmed" }));
      for (let round = 0; round < 4; round += 1) {
        expect(replica.getSnapshot()).toMatchObject({ status: "reconnecting", reason: "resync-repeated" });
        expect(snapshots.open).toBe(0);
        expect(names(replica)).toEqual(["a at 5"]);
        details.push(replica.detail);
        await vi.advanceTimersToNextTimerAsync();
      }
      expect(details.map((detail) => /next attempt in (.*)$/.exec(detail ?? "")?.[1])).toEqual([
        "0.8 s",
        "1.3 s",
        "2.3 s",
        "4.3 s",
      ]);
      expect(details[3]).toContain("5 times (trimmed)");
      snapshots.onSubscribe = undefined;
      await vi.advanceTimersByTimeAsync(60_000);
      snapshots.current.deliver(resumed(5), changed(6, "a"));
      expect(replica.status).toBe("live");
    }));

  test("a slow circle waits longer each time too", () =>
    watching(async ({ snapshots, replica }) => {
      const waits: (string | undefined)[] = [];
      snapshots.current.deliver(full(5, [], { reason: "trimmed" }));
      for (let round = 0; round < 3; round += 1) {
        await vi.advanceTimersByTimeAsync(20_000);
        snapshots.current.deliver(full(5, [], { reason: "trimmed" }));
        waits.push(/[0-9.]+ s$/.exec(replica.detail ?? "")?.[0]);
        await vi.advanceTimersByTimeAsync(10_000);
        snapshots.current.deliver(resumed(5));
      }
      expect(waits).toEqual(["0.8 s", "1.3 s", "2.3 s"]);
    }));

  test("fulls that are further apart than any loop are no loop", () =>
    watching(async ({ snapshots, replica }) => {
      snapshots.current.deliver(full(5, []));
      for (const tag of [OTHER_TAG, TAG, OTHER_TAG]) {
        await vi.advanceTimersByTimeAsync(60_001);
        snapshots.current.deliver(full(5, [], { tag, reason: "epoch-changed" }));
        expect(replica.status).toBe("live");
      }
    }));
});

describe("a superseded subscription", () => {
  test("is not heard any more, whatever it still says", () =>
    watching(async ({ snapshots, replica }) => {
      const old = snapshots.current;
      old.deliver(full(5, [entry("a", 5)]));
      old.callbacks.onError(new Error("over"));
      await vi.advanceTimersByTimeAsync(1_000);
      snapshots.current.deliver(resumed(5));
      old.deliver(
        changed(9, "b"),
        full(99, [], { tag: OTHER_TAG, reason: "epoch-changed" }),
        ended(99, "revoked"),
      );
      old.callbacks.onConnectionStateChange({ state: "connecting", error: new Error("late") });
      old.callbacks.onError(trpcError("FORBIDDEN"));
      old.callbacks.onStopped();
      old.callbacks.onComplete();
      expect(replica.getSnapshot()).toMatchObject({ status: "live", position: `${TAG}.5` });
      expect(snapshots.subscriptions).toHaveLength(2);
    }));

  test("a delta of another order replaces it, from the own position, and the view stays", () =>
    watching(async ({ snapshots, replica }) => {
      snapshots.current.deliver(full(5, [entry("a", 5)]), changed(2, "b", { tag: OTHER_TAG }));
      expect(replica.getSnapshot()).toMatchObject({ status: "reconnecting", reason: "foreign-position" });
      await vi.advanceTimersByTimeAsync(750);
      expect(snapshots.current.input.lastEventId).toBe(`${TAG}.5`);
      expect(names(replica)).toEqual(["a at 5"]);
      snapshots.current.deliver(full(2, [entry("b", 2)], { tag: OTHER_TAG, reason: "epoch-changed" }));
      expect(names(replica)).toEqual(["b at 2"]);
      expect(replica.status).toBe("live");
    }));
});

describe("getSnapshot and subscribe", () => {
  test("the snapshot is the same frozen object until something changes, and needs no `this`", () =>
    watching(({ snapshots, replica }) => {
      const { getSnapshot } = replica;
      const before = getSnapshot();
      expect(getSnapshot()).toBe(before);
      snapshots.current.deliver(full(5, [entry("a", 5)]));
      const after = getSnapshot();
      expect(after).not.toBe(before);
      expect(getSnapshot()).toBe(after);
      expect(Object.isFrozen(after) && Object.isFrozen(after.entries)).toBe(true);
      snapshots.current.deliver(changed(5, "a"), changed(3, "b")); // dropped: known
      expect(getSnapshot()).toBe(after);
    }));

  test("entries and their map keep their identity while only the standing changes", () =>
    watching(({ snapshots, replica }) => {
      snapshots.current.deliver(full(5, [entry("a", 5), entry("b", 4)]));
      const before = replica.getSnapshot();
      expect(before.byId).toBe(before.byId);
      expect(before.byId.get("b")).toBe(before.entries[1]);
      snapshots.current.deliver(status(5, false), removed(6, "nobody"));
      const after = replica.getSnapshot();
      expect(after).not.toBe(before);
      expect(after.position).toBe(`${TAG}.6`);
      expect(after.entries).toBe(before.entries);
      expect(after.byId).toBe(before.byId);
    }));

  test("an unchanged entry is the same object in the next snapshot", () =>
    watching(({ snapshots, replica }) => {
      snapshots.current.deliver(full(5, [entry("a", 5), entry("b", 4)]));
      const before = replica.getSnapshot();
      snapshots.current.deliver(changed(9, "a"));
      const after = replica.getSnapshot();
      expect(after.entries[0]).not.toBe(before.entries[0]);
      expect(after.entries[1]).toBe(before.entries[1]);
      expect(before.entries.map(({ version }) => version)).toEqual([5, 4]); // a snapshot never changes
    }));

  test("listeners hear once per turn, however many frames it brought", () =>
    watching(async ({ snapshots, replica }) => {
      const heard: number[] = [];
      replica.subscribe(() => heard.push(replica.getSnapshot().entries.length));
      snapshots.current.deliver(
        full(5, []),
        ...[6, 7, 8, 9].map((sequence) => changed(sequence, `w${sequence}`)),
      );
      expect(heard).toEqual([]);
      await vi.advanceTimersByTimeAsync(0);
      expect(heard).toEqual([4]);
    }));

  test("a change is told also when somebody looked before it was told", () =>
    watching(async ({ snapshots, replica }) => {
      const listener = vi.fn();
      replica.subscribe(listener);
      snapshots.current.deliver(full(5, []));
      replica.getSnapshot();
      await vi.advanceTimersByTimeAsync(0);
      expect(listener).toHaveBeenCalledTimes(1);
    }));

  test("nothing is told when nothing changed", () =>
    watching(async ({ snapshots, page, replica }) => {
      snapshots.current.deliver(full(5, [entry("a", 5)]));
      await vi.advanceTimersByTimeAsync(0);
      const listener = vi.fn();
      replica.subscribe(listener);
      snapshots.current.deliver(changed(5, "a"), full(3, []));
      page.setOnline(false);
      page.setOnline(true);
      await vi.advanceTimersByTimeAsync(0);
      expect(listener).not.toHaveBeenCalled();
    }));

  test("a listener that throws harms neither the others nor the replica", () =>
    watching(async ({ snapshots, replica, warnings }) => {
      const heard: string[] = [];
      replica.subscribe(() => {
        throw new Error("mine");
      });
      replica.subscribe(() => heard.push(replica.status));
      snapshots.current.deliver(full(5, []));
      await vi.advanceTimersByTimeAsync(0);
      snapshots.current.deliver(changed(6, "a"));
      await vi.advanceTimersByTimeAsync(0);
      expect(heard).toEqual(["live", "live"]);
      expect(warnings).toEqual(["a listener threw", "a listener threw"]);
    }));

  test("a listener that left is not called, also when it leaves during a call", () =>
    watching(async ({ snapshots, replica }) => {
      const second = vi.fn();
      const leave = [replica.subscribe(() => leave[1]?.()), replica.subscribe(second)];
      snapshots.current.deliver(full(5, []));
      await vi.advanceTimersByTimeAsync(0);
      expect(second).not.toHaveBeenCalled();
    }));

  test("the same listener added twice leaves one at a time", () =>
    watching(async ({ snapshots, replica }) => {
      const listener = vi.fn();
      const leave = replica.subscribe(listener);
      replica.subscribe(listener);
      leave();
      leave();
      snapshots.current.deliver(full(5, []));
      await vi.advanceTimersByTimeAsync(0);
      expect(listener).toHaveBeenCalledTimes(1);
    }));

  test("a full never shows an empty moment between two views", () =>
    watching(async ({ snapshots, replica }) => {
      snapshots.current.deliver(full(5, [entry("a", 5)]));
      const seen: number[] = [];
      replica.subscribe(() => seen.push(replica.getSnapshot().entries.length));
      loseConnection(snapshots);
      await vi.advanceTimersByTimeAsync(0);
      snapshots.current.deliver(full(3, [entry("b", 3)], { tag: OTHER_TAG, reason: "epoch-changed" }));
      await vi.advanceTimersByTimeAsync(0);
      expect(seen).toEqual([1, 1]);
    }));

  test("a delta costs the same however many entries there are: nothing is copied before somebody looks", () =>
    watching(({ snapshots, replica }) => {
      snapshots.current.deliver(
        full(
          5_000,
          Array.from({ length: 5_000 }, (_, i) => entry(`w${i}`, i)),
        ),
      );
      const before = replica.getSnapshot();
      const copies = vi.spyOn(Map.prototype, "values");
      for (let i = 0; i < 100; i += 1) snapshots.current.deliver(changed(5_001 + i, `w${i}`));
      expect(copies).not.toHaveBeenCalled();
      copies.mockRestore();
      const after = replica.getSnapshot();
      expect(after.entries.filter((each, index) => each !== before.entries[index])).toHaveLength(100);
    }));

  test("warns of frames that cannot be read, and shows the rest", () =>
    watching(({ snapshots, replica, warnings }) => {
      snapshots.current.callbacks.onData({ id: "5", data: full(5, []).data });
      expect(warnings).toEqual(["a frame of project p has no readable position: is every frame tracked?"]);
      expect(replica.status).toBe("connecting");
    }));
});

describe("with Snapwire's own connection", () => {
  interface FakeConnection extends ClientConnection {
    readonly renewals: ((changed: boolean) => void)[];
    newToken(): void;
  }

  function fakeConnection(): FakeConnection {
    const listeners = new Set<() => void>();
    const renewals: ((changed: boolean) => void)[] = [];
    return {
      status: "open",
      lastProofOfLife: 5,
      getState: () => ({ status: "open", reason: undefined, detail: undefined }),
      subscribe: () => () => {},
      onRenewed: (listener) => {
        listeners.add(listener);
        return () => listeners.delete(listener);
      },
      renewals,
      renew: () => new Promise((resolve) => renewals.push(resolve)),
      reconnect: () => {},
      newToken: () => {
        for (const listener of [...listeners]) listener();
      },
    };
  }

  test("an unauthorized subscription asks once for a newer token before it is denied", async () => {
    const connection = fakeConnection();
    await watching(
      async ({ snapshots, replica }) => {
        snapshots.current.deliver(full(5, []));
        snapshots.current.callbacks.onError(trpcError("UNAUTHORIZED", "expired"));
        expect(replica.getSnapshot()).toMatchObject({ status: "reconnecting", reason: "unauthorized" });
        connection.renewals[0]?.(true);
        connection.newToken();
        expect(snapshots.subscriptions).toHaveLength(2);
        snapshots.current.callbacks.onError(trpcError("UNAUTHORIZED", "still not")); // a new token each time is no loop
        expect(replica.status).toBe("denied");
        await vi.advanceTimersByTimeAsync(60_000);
        expect(connection.renewals).toHaveLength(1);
        expect(snapshots.subscriptions).toHaveLength(2);
      },
      { connection },
    );
  });

  test("the same token again is denied; another one later ends that", async () => {
    const connection = fakeConnection();
    await watching(
      async ({ snapshots, replica }) => {
        snapshots.current.callbacks.onError(trpcError("UNAUTHORIZED"));
        connection.renewals[0]?.(false);
        await vi.advanceTimersByTimeAsync(0);
        expect(replica.getSnapshot()).toMatchObject({ status: "denied", reason: "unauthorized" });
        connection.newToken();
        expect(snapshots.subscriptions).toHaveLength(2);
        snapshots.current.deliver(full(5, []));
        expect(replica.status).toBe("live");
        connection.newToken(); // tRPC moves a live subscription itself
        expect(snapshots.subscriptions).toHaveLength(2);
      },
      { connection },
    );
  });

  test("a sign of life of the connection is one of the replica", async () => {
    const connection = fakeConnection();
    await watching(({ replica }) => expect(replica.lastProofOfLife).toBe(5), { connection });
  });

  test("a renewal that ends after close changes nothing", async () => {
    const connection = fakeConnection();
    await watching(
      async ({ snapshots, replica }) => {
        snapshots.current.callbacks.onError(trpcError("UNAUTHORIZED"));
        await replica.close();
        connection.renewals[0]?.(false);
        connection.newToken();
        await vi.advanceTimersByTimeAsync(0);
        expect(replica.getSnapshot()).toMatchObject({ status: "ended", reason: "closed" });
        expect(snapshots.subscriptions).toHaveLength(1);
      },
      { connection },
    );
  });
});

describe("close", () => {
  test("ends it for good, tells it once, and may be called again", () =>
    watching(async ({ snapshots, replica }) => {
      snapshots.current.deliver(full(5, [entry("a", 5)]));
      await vi.advanceTimersByTimeAsync(0);
      const listener = vi.fn();
      replica.subscribe(listener);
      await Promise.all([replica.close(), replica.close()]);
      expect(listener).toHaveBeenCalledTimes(1);
      expect(replica.getSnapshot()).toMatchObject({ status: "ended", reason: "closed" });
      expect(names(replica)).toEqual(["a at 5"]);
      snapshots.current.deliver(changed(9, "b"));
      replica.retry();
      replica.subscribe(listener)();
      await vi.advanceTimersByTimeAsync(60_000);
      expect(listener).toHaveBeenCalledTimes(1);
      expect(snapshots.subscriptions).toHaveLength(1);
      expect(snapshots.current.unsubscribed).toBe(1);
    }));

  test("ends a wait for the next attempt", () =>
    watching(async ({ snapshots, replica }) => {
      snapshots.current.callbacks.onError(new Error("no"));
      expect(vi.getTimerCount()).toBeGreaterThan(0);
      await replica.close();
      expect(vi.getTimerCount()).toBe(0);
      await vi.advanceTimersByTimeAsync(60_000);
      expect(snapshots.subscriptions).toHaveLength(1);
    }));

  test("is what `await using` does", async () => {
    const snapshots = new FakeSnapshots();
    {
      await using replica = createProjectReplica(snapshots, { projectId: "p", surroundings: new FakePage() });
      expect(replica.status).toBe("connecting");
    }
    expect(snapshots.open).toBe(0);
  });
});

test("entries have the type that the router says", () => {
  expectTypeOf(createProjectReplica<FakeSnapshots>).returns.toEqualTypeOf<ProjectReplica<TestEntry>>();
});
