/**
 * P6, P7: `snapwire serve` as processes, killed and started again over the data that they left. Clients that were there
 * before go on from their positions.
 */
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { createProjectReplica, createSnapwireClient } from "../client/index.ts";
import type { SnapshotsClient } from "../client/snapshots-client.ts";
import { filesIn } from "../src/journal/embedded/embedded.ts";
import { bundled } from "./helpers/bundled.ts";
import { cleanEnvironment, launch, type Process } from "./helpers/cli-process.ts";
import { createRepository, type TestRepository } from "./helpers/git-repository.ts";
import { stockClient, versionsAfter, watch } from "./helpers/served.ts";

let room = "";
let command = "";
beforeAll(async () => {
  room = mkdtempSync(join(tmpdir(), "snapwire-serve-"));
  const external = ["lmdb", "@nats-io/transport-node", "@nats-io/jetstream", "bufferutil", "utf-8-validate"];
  command = await bundled("src/cli/main.ts", room, external);
});
afterAll(() => rmSync(room, { recursive: true, force: true }));

const eventually = (check: () => void): Promise<void> => vi.waitFor(check, { timeout: 20_000, interval: 20 });

interface Started extends Process {
  readonly url: string;
}

async function serve(repository: TestRepository, home: string, ...flags: string[]): Promise<Started> {
  const args = [command, "serve", "--no-open", ...flags];
  const server = launch(process.execPath, args, { cwd: repository.path, env: cleanEnvironment(home) });
  await eventually(() => expect(server.out() + server.err()).toMatch(/Watch |"fatal"/));
  const url = /http:\/\/127\.0\.0\.1:\d+/.exec(server.out())?.[0] ?? "";
  return Object.assign(server, { url });
}

async function killed(server: Process): Promise<void> {
  server.child.kill("SIGKILL");
  expect(await server.done).toBe("SIGKILL");
}

const home = (): string => mkdtempSync(join(room, "home-"));
const types = (frames: readonly { readonly data: { readonly type: string } }[]) =>
  frames.map(({ data }) => data.type);

test("P6 P7 killed with -9 and started again, it has what it acknowledged, and its clients resume without a full", async () => {
  using repository = createRepository();
  const mine = home();
  const first = await serve(repository, mine, "--port", "0");
  const { port } = new URL(first.url);
  const away = stockClient(first.url);
  await using stock = stockClient(first.url);
  await using client = createSnapwireClient({ url: first.url, retry: { floorMs: 10, capMs: 50 } });
  const toReplica: string[] = [];
  const snapshots: SnapshotsClient = {
    onProject: {
      subscribe: (input, { onData, ...callbacks }) =>
        client.trpc.snapshots.onProject.subscribe(input, {
          ...callbacks,
          onData: (frame) => {
            toReplica.push(frame.data.type);
            onData(frame);
          },
        }),
    },
  };
  const replica = createProjectReplica(snapshots, { projectId: "app", connection: client.connection });
  const stays = watch(stock.trpc, "app");
  const leaves = watch(away.trpc, "app");
  await eventually(() => expect(types(leaves.frames)).toContain("snapshot_full"));
  await stock.trpc.snapshots.upsert.mutate({ workspaceId: "app/made", projectId: "app", name: "one" });
  await eventually(() => expect(types(leaves.frames)).toContain("snapshot_changed"));
  leaves.stop();
  await away.connection.close();
  const { version } = await stock.trpc.snapshots.upsert.mutate({ workspaceId: "app/made", name: "two" });
  await eventually(() => expect(versionsAfter(stays.frames).get("app/made")).toBe(version));
  await eventually(() => expect(replica.getSnapshot().entries.map(({ name }) => name)).toContain("two"));

  await killed(first);
  await using second = await serve(repository, mine, "--port", port);
  expect(second.url).toBe(first.url);
  const entry = await stock.trpc.snapshots.byWorkspace.query({ workspaceId: "app/made" });
  expect(entry?.entry).toMatchObject({ name: "two", version });

  const later = await stock.trpc.snapshots.upsert.mutate({ workspaceId: "app/made", name: "three" });
  expect(later.version).toBeGreaterThan(version);
  await eventually(() => expect(versionsAfter(stays.frames).get("app/made")).toBe(later.version));
  await eventually(() => expect(replica.getSnapshot().entries.map(({ name }) => name)).toContain("three"));
  expect(
    types(stays.frames).filter((type) => type === "snapshot_full"),
    "the one it began with",
  ).toHaveLength(1);
  expect(types(stays.frames)).toContain("snapshot_resumed");
  expect(toReplica.filter((type) => type === "snapshot_full")).toHaveLength(1);
  expect(toReplica).toContain("snapshot_resumed");

  // One that was away all the time: what it missed, each change once.
  await using back = stockClient(second.url);
  const resumed = watch(back.trpc, "app", leaves.frames.at(-1)?.id);
  await eventually(() =>
    expect(versionsAfter([...leaves.frames, ...resumed.frames]).get("app/made")).toBe(later.version),
  );
  expect(types(resumed.frames)[0]).toBe("snapshot_resumed");
  expect(types(resumed.frames)).not.toContain("snapshot_full");
  await replica.close();
});

test("a stop in order keeps the state too; --ephemeral keeps nothing, and is another epoch", async () => {
  using repository = createRepository();
  const data = join(home(), "state");
  const positions: string[] = [];
  async function start(...flags: string[]): Promise<string | undefined> {
    await using server = await serve(repository, room, "--port", "0", ...flags);
    await using stock = stockClient(server.url);
    const { frames, stop } = watch(stock.trpc, "app", positions[0]);
    await eventually(() => expect(frames.length).toBeGreaterThan(0));
    stop();
    const found = await stock.trpc.snapshots.byWorkspace.query({ workspaceId: "app/made" });
    await stock.trpc.snapshots.upsert.mutate({ workspaceId: "app/made", projectId: "app", name: "kept" });
    if (positions.length === 0) positions.push(frames.at(-1)?.id ?? "");
    await stock.connection.close(); // nobody to wait for
    server.child.kill("SIGTERM");
    expect(await server.done).toBe(0);
    const [first] = frames;
    return `${found?.entry.name ?? "nothing"}: ${first?.data.type === "snapshot_full" ? first.data.reason : first?.data.type}`;
  }
  expect(await start("--data", data)).toBe("nothing: first");
  expect(await start("--data", data)).toBe("kept: snapshot_resumed");
  expect(await start("--data", data, "--durability", "process")).toBe("kept: snapshot_resumed");
  expect(await start("--ephemeral")).toBe("nothing: epoch-changed");
  expect(await start("--data", data), "and harms nobody").toBe("kept: snapshot_resumed");
});

test("each repository has a folder of its own, for this user only; a second server of the same one is told where the first is", async () => {
  using one = createRepository({ name: "one" });
  using other = createRepository({ name: "other" });
  const mine = home();
  await using first = await serve(one, mine, "--port", "0");
  await using second = await serve(other, mine, "--port", "0");
  const state = join(mine, ".local", "state", "snapwire");
  expect(readdirSync(state).sort()).toEqual([
    expect.stringMatching(/^one-[0-9a-f]{8}$/),
    expect.stringMatching(/^other-[0-9a-f]{8}$/),
  ]);
  const [folder = ""] = readdirSync(state);
  expect(first.out()).toContain(`Data        ${join(state, folder)}\n`);
  expect(existsSync(filesIn(join(state, folder)).data)).toBe(true);
  expect(second.out()).toMatch(/Data +.*\/other-/);

  await using third = await serve(one, mine, "--port", "0");
  expect(await third.done).toBe(1);
  expect(third.err()).toContain(
    `A server that keeps its data in ${join(state, folder)} runs already: ${first.url}/ (process ${first.child.pid}).`,
  );
  expect((await fetch(`${first.url}/readyz`)).status).toBe(200);
});

test("without the storage library the state is in memory, which is said; what was asked for is refused", async () => {
  using repository = createRepository();
  const alone = join(room, "alone");
  mkdirSync(alone);
  // The same command, in a place from which no package can be found.
  const file = join(mkdtempSync(join(tmpdir(), "snapwire-alone-")), "snapwire.mjs");
  copyFileSync(command, file);
  const start = (...flags: string[]): Process =>
    launch(process.execPath, [file, "serve", "--no-open", "--port", "0", ...flags], {
      cwd: repository.path,
      env: cleanEnvironment(home()),
    });
  await using server = start();
  await eventually(() => expect(server.out()).toMatch(/Watch /));
  expect(server.out()).toContain(
    "Data        in memory only, gone when this ends: the package lmdb is not installed",
  );
  await using refused = start("--data", join(alone, "data"));
  expect(await refused.done).toBe(1);
  expect(refused.err()).toContain("Install it (npm install lmdb), or do without a data folder (--ephemeral)");
  rmSync(join(file, ".."), { recursive: true, force: true });
});
