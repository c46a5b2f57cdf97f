/** `snapwire demo`: a story that a seed repeats, told to a server like any other, and called what it is. */
import { describe, expect, test, vi } from "vitest";
import { createRemote, endpointOf } from "../src/cli/remote.ts";
import { playDemo } from "../src/demo/play.ts";
import { DEMO_PROJECT, type DemoStep, demoStory } from "../src/demo/story.ts";
import { silentLogger } from "../src/log.ts";
import { createSnapwire } from "../src/snapwire.ts";
import { run, start } from "./helpers/cli-run.ts";

function steps(seed: number, count: number): DemoStep[] {
  const story = demoStory(seed);
  return Array.from({ length: count }, () => story.next().value);
}

describe("the story", () => {
  test("is the same for the same seed, and another for another", () => {
    expect(steps(1, 2_000)).toEqual(steps(1, 2_000));
    expect(steps(1, 200)).not.toEqual(steps(2, 200));
  });

  test("is told to the end of many workspaces without one word that the service refuses", async () => {
    const refused: unknown[] = [];
    const live = createSnapwire();
    await live.start();
    const codes = new Set<string>();
    const columns = new Set<string | null>();
    live.workspaces.on("snapshot_changed", ({ entry }) => {
      codes.add(entry.statusReason.code);
      columns.add(entry.kanbanColumn);
    });
    const told = steps(3, 700);
    const logger = { ...silentLogger, warn: (fact: object) => void refused.push(fact) };
    const playing = playDemo({ live, story: told.values(), logger, speed: 1_000_000 });
    await vi.waitFor(() => expect(playing.steps).toBe(told.length), { timeout: 20_000 });
    await playing.stop();
    expect(refused).toEqual([]);
    expect(live.projects.all).toEqual([DEMO_PROJECT]);
    for (const code of ["AGENT_WORKING", "NEEDS_PERMISSION", "READY_TO_MERGE", "MERGED", "WAITING_FOR_CI"])
      expect(codes).toContain(code);
    expect([...columns].sort()).toEqual(expect.arrayContaining(["DONE", "WAITING", "WORKING"]));
    expect(live.stats().events.published).toBeGreaterThan(20);
    expect(live.stats().agents.devices).toBeGreaterThan(0);
    await live.stop();
    expect(live.stats().agents.inboxes).toBe(0);
  });
});

describe("the command", () => {
  test("serves it, says that it is made up, and ends when it is told to", async () => {
    const running = start(["demo", "--port", "0", "--seed", "5", "--speed", "100"]);
    await vi.waitFor(() => expect(running.stdout.text).toMatch(/Watch .*\n/));
    expect(running.stdout.text).toContain("demo (made up)   everything in it is invented; seed 5");
    const url = /http:\/\/127\.0\.0\.1:\d+/.exec(running.stdout.text)?.[0] ?? "";
    const remote = createRemote(endpointOf(url), undefined, new AbortController().signal);
    await vi.waitFor(async () => {
      const { entries } = await remote.snapshots.byProject.query({ projectId: DEMO_PROJECT });
      expect(entries.length).toBeGreaterThanOrEqual(6);
    });
    expect((await remote.snapshots.projects.query()).projects).toEqual([DEMO_PROJECT]);
    running.signal("SIGTERM");
    expect(await running.done).toBe(0);
  });

  test.each([
    [["--seed", "x"], "--seed must be a number from 0 to 4294967295, not x."],
    [["--speed", "0"], "--speed must be a number from 0.1 to 100, not 0."],
    [["--host", "0.0.0.0"], "There is no flag --host of `snapwire demo`"],
  ])("refuses %j", async (argv, message) => {
    const { code, err } = await run(["demo", ...argv]);
    expect([code, err]).toEqual([2, expect.stringContaining(message)]);
  });
});
