/** `session.update`: told when the lifecycle, the summary or the statistics of a session changed, and only then. */
import { expect, test } from "vitest";
import { createMemoryJournal } from "../src/journal/memory.ts";
import { createSnapwire } from "../src/snapwire.ts";
import { JournalFaults, withFaults } from "./helpers/faulty-journal.ts";
import { W, withSessions } from "./helpers/session-service.ts";
import { reasonFrom } from "./helpers/store-parts.ts";
import { toldEvents, toldPayloads } from "./helpers/told-events.ts";

const about = { sessionId: "s", workspaceId: W };

test("B21 B22 it says what was said: a summary and statistics when given, and leaves them out when not", async () => {
  await using service = await withSessions();
  await service.begin("s");
  await service.update("s", {
    lifecycle: "ended",
    summary: "",
    stats: { totalMessages: 2, totalCostUsd: 0.1 },
  });
  await service.update("s", { lifecycle: "parsed" });
  expect(toldPayloads(service.live)).toEqual([
    ["session.update", { ...about, lifecycle: "detected" }],
    [
      "session.update",
      { ...about, lifecycle: "ended", summary: "", stats: { totalMessages: 2, totalCostUsd: 0.1 } },
    ],
    ["session.update", { ...about, lifecycle: "parsed" }],
  ]);
});

test("every step is told, up to complete and failed", async () => {
  await using service = await withSessions();
  const steps = [
    "detected",
    "ended",
    "transcript_ready",
    "parsed",
    "summarized",
    "complete",
    "failed",
  ] as const;
  for (const lifecycle of steps) await service.begin("s", { lifecycle });
  expect(toldEvents(service.live).map(({ payload }) => (payload as { lifecycle: string }).lifecycle)).toEqual(
    steps,
  );
});

test("it is scoped to session, workspace and project, and has the time of the observation", async () => {
  await using service = await withSessions();
  const observedAt = Date.now() - 60_000;
  await service.begin("s", { observedAt });
  expect(toldEvents(service.live)).toMatchObject([
    { projectId: "project", ...about, timestamp: new Date(observedAt).toISOString(), id: expect.any(String) },
  ]);
});

test("nothing is told when nothing of that changed, when it was refused, repeated, or not stored", async () => {
  await using service = await withSessions();
  await service.begin("s", { lifecycle: "ended", summary: "x", clientKey: "k" });
  const before = toldEvents(service.live).length;
  await service.update("s", { lifecycle: "ended", summary: "x" });
  await service.update("s", { activity: "WORKING", pendingRequest: "plan_approval" });
  await service.update("s", { lifecycle: "ended", summary: "other", clientKey: "k" });
  await service.update("s", { summary: "older", observedAt: 1 });
  await reasonFrom(service.update("s", { lifecycle: "detected", summary: "back" }));
  service.setJournalAway(true);
  expect(await reasonFrom(service.update("s", { lifecycle: "parsed" }))).toBe("unavailable");
  service.setJournalAway(false);
  expect(toldEvents(service.live)).toHaveLength(before);
});

test("events of a session come in the order of its commits", async () => {
  await using service = await withSessions();
  await service.begin("s");
  await Promise.all(Array.from({ length: 20 }, (_, n) => service.update("s", { summary: `${n}` })));
  const summaries = toldEvents(service.live).flatMap(
    ({ payload }) => (payload as { summary?: string }).summary ?? [],
  );
  expect(summaries).toEqual(Array.from({ length: 20 }, (_, n) => `${n}`));
});

test("an event that a crash left untold is told at the next start, and no other is told twice", async () => {
  const journal = createMemoryJournal({ epoch: "one-life" });
  const faults = new JournalFaults();
  const before = createSnapwire({ journal: withFaults(journal, faults) });
  await before.start();
  await before.workspaces.upsert("w", { projectId: "p" });
  await before.sessions.update({ sessionId: "told", workspaceId: "w" });
  const events = toldEvents(before);
  // The commit is stored, and the process dies before the event is.
  faults.fate = ({ key }) => (key === "s" || key === "told" ? "answered" : "refused");
  await before.sessions.update({ sessionId: "s", workspaceId: "w", summary: "done" });
  expect(toldEvents(before)).toEqual(events);
  faults.fate = () => "answered";
  await before.stop();

  await using after = createSnapwire({ journal });
  await after.start();
  expect(toldEvents(after).map(({ payload }) => (payload as { sessionId: string }).sessionId)).toEqual([
    "told",
    "s",
  ]);
  expect(toldEvents(after)[1]).toMatchObject({ payload: { summary: "done" } });
});
