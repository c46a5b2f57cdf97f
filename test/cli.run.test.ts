/** `snapwire run`: the command is as it would be without it, and a server knows how it does. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { bundleInto, cleanEnvironment } from "./helpers/cli-process.ts";
import { type ServedRepository, serveRepository } from "./helpers/cli-serve.ts";
import { type TemporaryFolder, temporaryFolder } from "./helpers/git-repository.ts";

let folder: TemporaryFolder;
let file = "";
let served: ServedRepository;
beforeAll(async () => {
  folder = temporaryFolder();
  file = bundleInto(folder.path);
  served = await serveRepository();
});
afterAll(async () => {
  await served[Symbol.asyncDispose]();
  folder[Symbol.dispose]();
});

const WORKSPACE = "app/main-worktree";
const shows = (runScriptStatus: string) => served.shows(WORKSPACE, { runScriptStatus });

function wrapped(
  script: string,
  { url = served.url, flags = [] as string[], command = ["sh", "-c", script] } = {},
) {
  const child = spawn(process.execPath, [file, "run", ...flags, "--url", url, "--", ...command], {
    cwd: served.repository.path,
    env: cleanEnvironment(folder.path),
  });
  const out: Buffer[] = [];
  const err: Buffer[] = [];
  child.stdout.on("data", (chunk: Buffer) => out.push(chunk));
  child.stderr.on("data", (chunk: Buffer) => err.push(chunk));
  const done = once(child, "close").then(([code, signal]) => (code ?? signal) as number | string);
  return {
    child,
    done,
    out: () => Buffer.concat(out),
    err: () => Buffer.concat(err).toString(),
    said: (text: string) => vi.waitFor(() => expect(Buffer.concat(out).toString()).toContain(text)),
  };
}

/** What somebody sees who looks at the output: the tail, and what follows. */
async function watched(name?: string) {
  const { createTRPCClient, httpSubscriptionLink } = await import("@trpc/client");
  const { EventSource } = await import("eventsource");
  const { default: superjson } = await import("superjson");
  type Router = import("../src/router/index.ts").SnapwireRouter;
  const client = createTRPCClient<Router>({
    links: [httpSubscriptionLink({ url: `${served.url}/trpc`, transformer: superjson, EventSource })],
  });
  const frames: { type: string; text?: string; reason?: string }[] = [];
  const subscription = client.runScripts.onOutput.subscribe(
    { workspaceId: WORKSPACE, ...(name && { name }) },
    { onData: ({ data }) => frames.push(data as (typeof frames)[number]) },
  );
  await vi.waitFor(() => expect(frames.length).toBeGreaterThan(0));
  return {
    frames,
    text: () =>
      frames.reduce((text, frame) => (frame.type === "output_tail" ? "" : text) + (frame.text ?? ""), ""),
    [Symbol.dispose]: () => subscription.unsubscribe(),
  };
}

describe("a wrapped command", () => {
  test("keeps its input, its output, its errors and its exit code, byte by byte", async () => {
    const bytes = Buffer.from(Array.from({ length: 100_000 }, (_, index) => (index * 7) % 256));
    const run = wrapped("cat; echo oops >&2; exit 42");
    run.child.stdin.end(bytes);
    expect(await run.done).toBe(42);
    expect(run.out().equals(bytes)).toBe(true);
    expect(run.err()).toBe("oops\n");
    await shows("FAILED");
  });

  test("goes over the board from RUNNING to COMPLETED, and what it prints is read live", async () => {
    using watch = await watched("dev");
    const run = wrapped("echo one; read line; echo two $line", { flags: ["--name", "dev"] });
    await shows("RUNNING");
    await vi.waitFor(() => expect(watch.text()).toBe("one\n"));
    run.child.stdin.end("more\n");
    expect(await run.done).toBe(0);
    await shows("COMPLETED");
    await vi.waitFor(() => expect(watch.text()).toBe("one\ntwo more\n"));
    using late = await watched("dev");
    expect(late.frames).toMatchObject([{ type: "output_tail", reason: "first", text: "one\ntwo more\n" }]);
  });

  test("that prints a lot is passed on whole, and its last 64 KiB are kept", async () => {
    const run = wrapped(`i=0; while [ $i -lt 20000 ]; do echo "line $i"; i=$((i+1)); done`, {
      flags: ["--name", "lot"],
    });
    expect(await run.done).toBe(0);
    expect(run.out().toString().split("\n")).toHaveLength(20_001);
    using watch = await watched("lot");
    expect(watch.text()).toMatch(/line 19999\n$/);
    expect(Buffer.byteLength(watch.text())).toBeLessThanOrEqual(64 * 1024);
  });

  test.each(["SIGTERM", "SIGINT", "SIGHUP", "SIGKILL", "SIGUSR1"] as const)(
    "that is killed by %s takes its wrapper with it, and has failed",
    async (signal) => {
      const run = wrapped("echo $$; exec sleep 60");
      await run.said("\n");
      await shows("RUNNING");
      process.kill(Number(run.out().toString()), signal);
      expect(await run.done).toBe(signal);
      await shows("FAILED");
    },
  );

  test.each([
    ["SIGABRT", 134],
    ["SIGPIPE", 141],
  ] as const)(
    "that is killed by %s, which no wrapper can follow, ends as a shell says it",
    async (signal, code) => {
      const run = wrapped("ulimit -c 0; echo $$; exec sleep 60");
      await run.said("\n");
      process.kill(Number(run.out().toString()), signal);
      expect(await run.done).toBe(code);
    },
  );

  test.each(["SIGTERM", "SIGINT", "SIGHUP"] as const)(
    "gets a %s that was meant for it, once",
    async (signal) => {
      const name = signal.slice(3);
      const run = wrapped(
        `trap 'echo got ${name}; exit 7' ${name}; echo ready; while :; do sleep 0.05; done`,
      );
      await run.said("ready");
      await shows("RUNNING");
      run.child.kill(signal);
      run.child.kill(signal); // the same press, by another way
      expect(await run.done).toBe(7);
      expect(run.out().toString()).toBe(`ready\ngot ${name}\n`);
      await shows("COMPLETED");
    },
  );

  test("that does not end at once is shown as STOPPING, and its children hear of it too", async () => {
    const run = wrapped(
      "sh -c 'trap \"echo child\" TERM; echo ready; while :; do sleep 0.05; done' & trap 'echo parent' TERM; wait; read x; kill -9 $!; exit 3",
    );
    await run.said("ready");
    run.child.kill("SIGTERM");
    await run.said("child");
    await run.said("parent");
    await shows("STOPPING");
    run.child.stdin.end("\n");
    expect(await run.done).toBe(3);
  });

  test("that cannot be started ends with what a shell says", async () => {
    const none = wrapped("", { command: ["no-such-command-at-all"] });
    expect(await none.done).toBe(127);
    expect(none.err()).toBe("snapwire: no-such-command-at-all cannot be run: there is no such command\n");
    const path = join(folder.path, "not-executable");
    writeFileSync(path, "#!/bin/sh\n");
    chmodSync(path, 0o600);
    expect(await wrapped("", { command: [path] }).done).toBe(126);
    await shows("FAILED");
  });

  test("leaves what it started in the background alone, and does not wait for it", async () => {
    const run = wrapped("sleep 60 & echo $!");
    expect(await run.done).toBe(0);
    const pid = Number(run.out().toString());
    expect(process.kill(pid, 0)).toBe(true);
    process.kill(pid, "SIGKILL");
  });

  test("whose reader has gone ends as it would alone", async () => {
    const run = wrapped("while :; do echo y; done");
    await run.said("y");
    run.child.stdout.destroy();
    expect(["SIGPIPE", 141, 1]).toContain(await run.done);
  });

  test("keeps flags of its own, and asks for one when there is none", async () => {
    const run = wrapped("", { command: ["printf", "%s ", "--url", "-x", "--", "--help"] });
    expect(await run.done).toBe(0);
    expect(run.out().toString()).toBe("--url -x -- --help ");
    const none = wrapped("", { command: [] });
    expect(await none.done).toBe(2);
    expect(none.err()).toContain("Which command? Write: snapwire run -- npm run dev");
  });

  test("with --no-output has our streams themselves, and nothing of it is kept", async () => {
    const run = wrapped("echo quiet; exit 5", { flags: ["--name", "quiet", "--no-output"] });
    expect(await run.done).toBe(5);
    expect(run.out().toString()).toBe("quiet\n");
    using watch = await watched("quiet");
    expect(watch.text()).toBe("");
  });
});

describe("without a server that answers, a wrapped command", () => {
  test("is as it would be: nobody there", async () => {
    const run = wrapped("echo fine; exit 3", { url: "http://127.0.0.1:1" });
    expect(await run.done).toBe(3);
    expect([run.out().toString(), run.err()]).toEqual(["fine\n", ""]);
  });

  test("is as it would be: one that hangs", async () => {
    const server = createServer((socket) => socket.on("error", () => undefined)).listen(0, "127.0.0.1");
    await once(server, "listening");
    const address = server.address();
    const port = typeof address === "object" && address ? address.port : 0;
    const run = wrapped(`i=0; while [ $i -lt 30000 ]; do echo "line $i"; i=$((i+1)); done`, {
      url: `http://127.0.0.1:${port}`,
    });
    expect(await run.done).toBe(0);
    expect(run.out().toString().split("\n")).toHaveLength(30_001);
    server.close();
  });
});
