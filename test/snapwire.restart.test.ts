import { expect, test } from "vitest";
import { createMemoryJournal } from "../src/journal/memory.ts";
import { createSnapwire } from "../src/snapwire.ts";

/** The memory journal keeps its records while the object lives: closing and opening it is a restart in one process. */
const restartable = () => createMemoryJournal({ epoch: "one-life" });

test("R18 a stored sign of life is taken back by an ordinary commit before anybody is served", async () => {
  const journal = restartable();
  const before = createSnapwire({ journal });
  await before.start();
  const written = await before.workspaces.upsert("p/a", {
    projectId: "p",
    status: "READY",
    isWorking: true,
    runScriptStatus: "RUNNING",
    hasHadSessions: true,
  });
  expect(before.workspaces.getByWorkspaceId("p/a")?.kanbanColumn).toBe("WORKING");
  await before.stop();

  await using after = createSnapwire({ journal });
  await after.start();
  const entry = after.workspaces.getByWorkspaceId("p/a");
  expect(entry).toMatchObject({
    isWorking: false,
    runScriptStatus: "IDLE",
    kanbanColumn: "WAITING",
    source: "initial",
  });
  expect(entry?.version).toBeGreaterThan(written.version);
});

test("R18 nothing is committed at start when nothing has to be put right", async () => {
  const journal = restartable();
  const before = createSnapwire({ journal });
  await before.start();
  const { version } = await before.workspaces.upsert("p/a", { projectId: "p", status: "READY" });
  await before.stop();

  await using after = createSnapwire({ journal });
  await after.start();
  expect(after.workspaces.collection.head).toBe(version);
});

test("observations after a restart count, also when the system clock went back meanwhile", async () => {
  const journal = restartable();
  const before = createSnapwire({ journal, now: () => 2_000_000 });
  await before.start();
  await before.workspaces.upsert("p/a", { projectId: "p", name: "old" });
  await before.stop();

  await using after = createSnapwire({ journal, now: () => 1_000_000 });
  await after.start();
  const { accepted, changed } = await after.workspaces.upsert("p/a", { name: "new" });
  expect({ accepted, changed }).toEqual({ accepted: true, changed: true });
});
