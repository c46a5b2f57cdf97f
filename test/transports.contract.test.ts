/** One behaviour on every way out: what a subscriber is told does not depend on how its bytes travel. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { applyWSSHandler } from "@trpc/server/adapters/ws";
import { describe, expect, test, vi } from "vitest";
import { WebSocketServer } from "ws";
import type { SnapshotFrame, TrackedFrame } from "../src/protocol/frames.ts";
import { parsePosition } from "../src/protocol/position.ts";
import { createSnapwireRouter } from "../src/router/index.ts";
import { createSnapwireServer } from "../src/server/index.ts";
import { createSnapwire, type Snapwire, type SnapwireOptions } from "../src/snapwire.ts";
import { unwrap } from "../src/testing.ts";
import { stockClient, stockSseClient, versionsAfter, versionsIn, watch } from "./helpers/served.ts";

const ADMIN = { subject: "t", role: "admin", projects: "*" } as const;

interface Watching {
  readonly frames: readonly TrackedFrame<SnapshotFrame>[];
  stop(): void;
}

interface Transport extends AsyncDisposable {
  watch(projectId: string, lastEventId?: string): Watching;
}

type Open = (live: Snapwire) => Promise<Transport>;

const TRANSPORTS: Readonly<Record<string, Open>> = {
  pump: async (live) => {
    const server = createSnapwireServer({ live, router: createSnapwireRouter({ live }) });
    const client = stockClient(await server.listen());
    return {
      watch: (projectId, lastEventId) => watch(client.trpc, projectId, lastEventId),
      [Symbol.asyncDispose]: async () => {
        await client.connection.close();
        await server.close();
      },
    };
  },
  "the stock adapter of tRPC": async (live) => {
    const http = createServer();
    const wss = new WebSocketServer({ server: http });
    applyWSSHandler({
      wss,
      router: createSnapwireRouter({ live }),
      createContext: () => ({ identity: ADMIN }),
    });
    await new Promise<void>((resolve) => {
      http.listen(0, "127.0.0.1", resolve);
    });
    const client = stockClient(`http://127.0.0.1:${(http.address() as AddressInfo).port}`);
    return {
      watch: (projectId, lastEventId) => watch(client.trpc, projectId, lastEventId),
      [Symbol.asyncDispose]: async () => {
        await client.connection.close();
        for (const socket of wss.clients) socket.terminate();
        http.close();
      },
    };
  },
  "server-sent events": async (live) => {
    const server = createSnapwireServer({ live, router: createSnapwireRouter({ live }) });
    const { trpc, sources } = stockSseClient(await server.listen());
    return {
      watch: (projectId, lastEventId) => watch(trpc, projectId, lastEventId),
      [Symbol.asyncDispose]: async () => {
        for (const source of sources) source.close();
        await server.close();
      },
    };
  },
  "a caller": async (live) => {
    const router = createSnapwireRouter({ live });
    const aborts: AbortController[] = [];
    return {
      watch: (projectId, lastEventId) => {
        const abort = new AbortController();
        aborts.push(abort);
        const caller = router.createCaller({ identity: ADMIN }, { signal: abort.signal });
        const frames: TrackedFrame<SnapshotFrame>[] = [];
        void (async () => {
          const input = { projectId, ...(lastEventId === undefined ? {} : { lastEventId }) };
          for await (const frame of unwrap(caller.snapshots.onProject(input))) frames.push(frame);
        })();
        return { frames, stop: () => abort.abort() };
      },
      [Symbol.asyncDispose]: async () => {
        for (const abort of aborts) abort.abort();
      },
    };
  },
};

const types = ({ frames }: Watching) => frames.map(({ data }) => data.type);
const name = (live: Snapwire, key: string, value: string) =>
  live.workspaces.upsert(key, { projectId: "p", name: value, status: "READY" });

describe.each(Object.entries(TRANSPORTS))("over %s", (_, open) => {
  async function opened(options: SnapwireOptions = {}) {
    const live = createSnapwire(options);
    await live.start();
    const transport = await open(live);
    return {
      live,
      watch: transport.watch,
      [Symbol.asyncDispose]: async () => {
        await transport[Symbol.asyncDispose]();
        await live.stop();
      },
    };
  }

  test("P1 P2 a full frame first, then each change in order: changed, removed, hidden, moved away, come back", async () => {
    await using served = await opened();
    const { live } = served;
    await name(live, "a", "1");
    const watching = served.watch("p");
    await vi.waitFor(() => expect(types(watching)).toEqual(["snapshot_full"]));
    const steps: ReadonlyArray<[() => Promise<unknown>, string]> = [
      [() => name(live, "a", "2"), "snapshot_changed"],
      [() => name(live, "b", "1"), "snapshot_changed"],
      [() => live.workspaces.upsert("b", { status: "ARCHIVING" }), "snapshot_removed"],
      [() => live.workspaces.upsert("a", { projectId: "q" }), "snapshot_removed"],
      [() => live.workspaces.upsert("a", { projectId: "p" }), "snapshot_changed"],
      [() => live.workspaces.remove("a"), "snapshot_removed"],
    ];
    for (const [index, [step, type]] of steps.entries()) {
      await step();
      await vi.waitFor(() => expect(types(watching)).toHaveLength(index + 2));
      expect(types(watching).at(-1)).toBe(type);
    }
    const sequences = watching.frames.slice(1).map(({ id }) => parsePosition(id)?.sequence ?? 0);
    expect(sequences).toEqual([...sequences].sort((x, y) => x - y));
    expect(new Set(sequences).size).toBe(sequences.length);
  });

  test("P6 a resume says until where it missed, then the newest of each missed key, oldest first", async () => {
    await using served = await opened();
    const { live } = served;
    for (const key of ["a", "b", "c"]) await name(live, key, "1");
    const first = served.watch("p");
    await vi.waitFor(() => expect(first.frames).toHaveLength(1));
    first.stop();
    for (const value of ["2", "3"]) for (const key of ["b", "a"]) await name(live, key, value);
    await live.workspaces.remove("c");
    const resumed = served.watch("p", first.frames[0]?.id);
    await vi.waitFor(() => expect(resumed.frames).toHaveLength(4));
    expect(resumed.frames.map(({ data }) => data)).toMatchObject([
      { type: "snapshot_resumed", missed: 3, until: resumed.frames[3]?.id },
      { type: "snapshot_changed", workspaceId: "b", entry: { name: "3" } },
      { type: "snapshot_changed", workspaceId: "a", entry: { name: "3" } },
      { type: "snapshot_removed", workspaceId: "c" },
    ]);
  });

  test.each([
    ["nonsense", "invalid"],
    ["AAAAAAAAAAAA.1", "epoch-changed"],
  ])("a position like %s gets a full frame that says `%s`", async (position, reason) => {
    await using served = await opened();
    await name(served.live, "a", "1");
    const watching = served.watch("p", position);
    await vi.waitFor(() => expect(watching.frames).toHaveLength(1));
    expect(watching.frames[0]?.data).toMatchObject({ type: "snapshot_full", reason });
  });

  test("a position from the future of this very order gets a full frame that says `ahead`", async () => {
    await using served = await opened();
    const { position } = await name(served.live, "a", "1");
    const watching = served.watch("p", position?.replace(/\d+$/, "999"));
    await vi.waitFor(() =>
      expect(watching.frames[0]?.data).toMatchObject({ type: "snapshot_full", reason: "ahead" }),
    );
  });

  test("a position below the floor gets a full frame that says `trimmed`", async () => {
    await using served = await opened({ tombstonesPerScope: 1 });
    const { live } = served;
    const { position } = await name(live, "a", "1");
    for (const key of ["b", "c", "d"]) {
      await name(live, key, "1");
      await live.workspaces.remove(key);
    }
    await live.workspaces.collection.prune();
    const watching = served.watch("p", position ?? "");
    await vi.waitFor(() =>
      expect(watching.frames[0]?.data).toMatchObject({ type: "snapshot_full", reason: "trimmed" }),
    );
  });

  test("the first pass: nothing until it is over or waited for long enough, then `complete` is told", async () => {
    let list: (ids: string[]) => void = () => undefined;
    const listed = new Promise<string[]>((resolve) => {
      list = resolve;
    });
    await using served = await opened({
      sources: [{ name: "slow", list: () => listed, read: () => [] }],
      firstPassWaitMs: 20,
    });
    const watching = served.watch("p");
    await vi.waitFor(() => expect(watching.frames[0]?.data).toMatchObject({ complete: false }));
    list([]);
    await vi.waitFor(() =>
      expect(watching.frames[1]?.data).toEqual({ type: "snapshot_progress", projectId: "p", complete: true }),
    );
  });

  test("the end of a project is the last frame, and nothing is left", async () => {
    await using served = await opened();
    const watching = served.watch("p");
    await vi.waitFor(() => expect(watching.frames).toHaveLength(1));
    served.live.endProject("p");
    await vi.waitFor(() =>
      expect(watching.frames[1]?.data).toEqual({
        type: "snapshot_ended",
        projectId: "p",
        reason: "project-gone",
      }),
    );
    await vi.waitFor(() => expect(served.live.feed.size).toBe(0));
  });

  test("P3 P8 many subscribers under many writers end equal to the store, and leave nothing when they go", async () => {
    await using served = await opened();
    const { live } = served;
    const watching = Array.from({ length: 20 }, (_unused, n) => served.watch(n % 2 ? "p" : "q"));
    await vi.waitFor(() => expect(watching.every(({ frames }) => frames.length === 1)).toBe(true));
    for (let n = 0; n < 200; n += 1) {
      const write = live.workspaces.upsert(`w${n % 7}`, { projectId: n % 5 ? "p" : "q", name: `${n}` });
      if (n % 3 === 0) await write;
      if (n % 17 === 0) await live.workspaces.remove(`w${n % 7}`);
    }
    await vi.waitFor(() => {
      watching.forEach(({ frames }, n) => {
        expect(versionsAfter(frames)).toEqual(versionsIn(live, n % 2 ? "p" : "q"));
      });
    });
    for (const { stop } of watching) stop();
    await vi.waitFor(() => expect([live.feed.size, live.feed.watchedScopes]).toEqual([0, 0]));
  });
});
