/** Sessions over real sockets, with a stock client: from a producer's update to a watcher's frame and to the board. */
import { expect, test } from "vitest";
import type { TrackedFrame } from "../src/protocol/frames.ts";
import type { SessionFrame } from "../src/protocol/sessions.ts";
import { serve, stockClient, watch } from "./helpers/served.ts";
import { until } from "./helpers/store-until.ts";

const changes = (frames: readonly TrackedFrame<SessionFrame>[]): string[] =>
  frames.flatMap(({ data }) => (data.type === "session_changed" ? [data.session.lifecycle] : []));

test("a session is told, watched and shown on the board; both feeds survive a cut socket", async () => {
  await using served = await serve();
  await using client = stockClient(served.url);
  await served.live.workspaces.upsert("w", { projectId: "p", status: "READY" });
  const { trpc } = client;
  await trpc.sessions.update.mutate({ sessionId: "s", workspaceId: "w", activity: "WORKING" });

  const frames: TrackedFrame<SessionFrame>[] = [];
  const { unsubscribe } = trpc.sessions.onSession.subscribe(
    { sessionId: "s" },
    { onData: (frame) => void frames.push(frame) },
  );
  const board = watch(trpc, "p");
  await until(() =>
    expect(frames[0]?.data).toMatchObject({ type: "session_full", session: { activity: "WORKING" } }),
  );
  await until(() => expect(board.frames[0]?.data).toMatchObject({ type: "snapshot_full" }));

  await trpc.sessions.update.mutate({
    sessionId: "s",
    pendingRequest: { toolName: "ExitPlanMode", input: {} },
  });
  await until(() =>
    expect(board.frames.at(-1)?.data).toMatchObject({
      type: "snapshot_changed",
      entry: {
        isWorking: true,
        pendingRequestType: "plan_approval",
        statusReason: { code: "NEEDS_PLAN_APPROVAL" },
      },
    }),
  );

  client.sockets.at(-1)?.terminate();
  await served.live.sessions.update({ sessionId: "s", lifecycle: "ended", summary: "said while away" });
  await until(() => expect(changes(frames).at(-1)).toBe("ended"));
  await until(() =>
    expect(board.frames.at(-1)?.data).toMatchObject({ entry: { isWorking: false, sessionSummaries: [] } }),
  );
  const kinds = frames.map(({ data }) => data.type);
  expect(
    kinds.filter((type) => type === "session_full"),
    "resumed, not begun anew",
  ).toHaveLength(1);
  expect(kinds).toContain("session_resumed");

  await expect(trpc.sessions.update.mutate({ sessionId: "s", lifecycle: "detected" })).rejects.toMatchObject({
    data: { code: "CONFLICT", reason: "backward-lifecycle" },
  });
  unsubscribe();
  board.stop();
  await until(() => expect(served.live.sessions.feed.size).toBe(0));
});

test("a run script and the ratchet reach the board, and their callers hear with which change", async () => {
  await using served = await serve();
  await using client = stockClient(served.url);
  await served.live.workspaces.upsert("w", { projectId: "p", status: "READY" });
  const { trpc } = client;
  const board = watch(trpc, "p");
  await until(() => expect(board.frames).toHaveLength(1));
  const toggled = await trpc.ratchet.update.mutate({ workspaceId: "w", enabled: true });
  await until(() =>
    expect(board.frames.at(-1)).toMatchObject({
      id: toggled.position,
      data: { entry: { ratchetEnabled: true } },
    }),
  );
  const started = trpc.runScripts.update.mutate({ workspaceId: "w", status: "STARTING" });
  const { version, position } = await trpc.runScripts.update.mutate({ workspaceId: "w", status: "RUNNING" });
  expect((await started).version).toBeLessThanOrEqual(version);
  await until(() =>
    expect(board.frames.at(-1)).toMatchObject({
      id: position,
      data: { entry: { runScriptStatus: "RUNNING", version } },
    }),
  );
  board.stop();
});
