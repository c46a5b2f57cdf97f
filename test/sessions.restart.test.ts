/** What becomes of sessions when the process that saw them alive is gone. */
import { expect, test } from "vitest";
import { createMemoryJournal } from "../src/journal/memory.ts";
import { createSnapwire } from "../src/snapwire.ts";
import { until } from "./helpers/store-until.ts";

/** The memory journal keeps its records while the object lives: closing and opening it is a restart in one process. */
const restartable = () => createMemoryJournal({ epoch: "one-life" });

test("R18 live-ness is reset before anybody is served; what is asked of a person stays", async () => {
  const journal = restartable();
  const before = createSnapwire({ journal });
  await before.start();
  await before.workspaces.upsert("w", { projectId: "p", status: "READY" });
  const said = {
    workspaceId: "w",
    activity: "WORKING",
    runtimePhase: "running",
    processState: "alive",
  } as const;
  await before.sessions.update({ sessionId: "s", ...said, summary: "so far" });
  await before.sessions.update({ sessionId: "t", ...said, pendingRequest: "plan_approval" });
  const versions = ["s", "t"].map((id) => before.sessions.get(id)?.version ?? 0);
  await before.stop();

  await using after = createSnapwire({ journal });
  await after.start();
  const rest = { activity: "IDLE", runtimePhase: "idle", processState: "unknown", lifecycle: "detected" };
  expect(after.sessions.get("s")).toMatchObject({ ...rest, summary: "so far" });
  expect(after.sessions.get("t")).toMatchObject({ ...rest, pendingRequest: { type: "plan_approval" } });
  expect(after.sessions.get("s")?.version).toBeGreaterThan(versions[0] ?? 0);
  const card = after.workspaces.getByWorkspaceId("w");
  expect(card).toMatchObject({ isWorking: false, pendingRequestType: "plan_approval" });
  await until(() =>
    expect(
      after.workspaces.getByWorkspaceId("w")?.sessionSummaries.map((one) => one.persistedStatus),
    ).toEqual(["IDLE", "IDLE"]),
  );
});

test("R18 nothing is committed at start when nothing has to be put right", async () => {
  const journal = restartable();
  const before = createSnapwire({ journal });
  await before.start();
  await before.workspaces.upsert("w", { projectId: "p" });
  const { version } = await before.sessions.update({ sessionId: "s", workspaceId: "w" });
  await before.stop();
  const head = before.workspaces.collection.head;

  const after = createSnapwire({ journal });
  await after.start();
  await after.stop(); // waits for what is under way
  expect(after.workspaces.collection.head).toBe(head);
  expect(after.sessions.get("s")?.version).toBe(version);
});

test("a commit whose report was lost with the process reaches the entry at the next start", async () => {
  const journal = restartable();
  const host = { projectId: "p", status: "READY" };
  const other = createSnapwire({ journal });
  await other.start();
  await other.sessions.update({ sessionId: "s", workspaceId: "w", pendingRequest: "user_question" });
  await other.stop();

  const first = createSnapwire({ journal });
  await first.start();
  expect(first.sessions.waiting).toBe(1);
  await first.workspaces.upsert("w", host);
  await until(() => expect(first.workspaces.getByWorkspaceId("w")?.pendingRequestType).toBe("user_question"));
  await first.stop();
});

test("a client key is remembered over a restart", async () => {
  const journal = restartable();
  const before = createSnapwire({ journal });
  await before.start();
  await before.sessions.update({ sessionId: "s", workspaceId: "w", summary: "one", clientKey: "k" });
  await before.sessions.update({ sessionId: "s", summary: "two" });
  await before.stop();

  await using after = createSnapwire({ journal });
  await after.start();
  const again = await after.sessions.update({
    sessionId: "s",
    workspaceId: "w",
    summary: "one",
    clientKey: "k",
  });
  expect(again).toMatchObject({ accepted: true, changed: true });
  expect(after.sessions.get("s")?.summary).toBe("two");
});

test("L-D5 observations after a restart count, also when the system clock went back meanwhile", async () => {
  const journal = restartable();
  const before = createSnapwire({ journal, now: () => 2_000_000 });
  await before.start();
  await before.workspaces.upsert("w", { projectId: "p" });
  await before.sessions.update({ sessionId: "s", workspaceId: "w", summary: "old" });
  await before.stop();

  await using after = createSnapwire({ journal, now: () => 1_000_000 });
  await after.start();
  expect(await after.sessions.update({ sessionId: "s", summary: "new", activity: "WORKING" })).toMatchObject({
    changed: true,
  });
});

test("what another node commits reaches the entry on every node", async () => {
  const journal = restartable();
  await using here = createSnapwire({ journal });
  await using there = createSnapwire({ journal });
  await here.start();
  await there.start();
  await here.workspaces.upsert("w", { projectId: "p" });
  await there.sessions.update({ sessionId: "s", workspaceId: "w", activity: "WORKING" });
  await here.sessions.update({ sessionId: "t", workspaceId: "w", pendingRequest: "permission_request" });
  for (const node of [here, there]) {
    await until(() =>
      expect(node.workspaces.getByWorkspaceId("w")).toMatchObject({
        isWorking: true,
        pendingRequestType: "permission_request",
        sessionSummaries: [{ sessionId: "s" }, { sessionId: "t" }],
      }),
    );
    expect(node.sessions.size).toBe(2);
  }
});
