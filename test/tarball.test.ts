/** What `npm install snapwire` gives a stranger: the packed files, in a project of its own, without the network. */
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import {
  buildPackage,
  createProject,
  mustRun,
  packPackage,
  ROOT,
  TRPC,
  temporaryFolder,
  tsc,
} from "./helpers/host-project.ts";

let built: Awaited<ReturnType<typeof temporaryFolder>>;
let extracted: Awaited<ReturnType<typeof temporaryFolder>>;
/** The package as it is in the tarball. */
let packageFolder: string;

beforeAll(async () => {
  built = await temporaryFolder();
  extracted = await temporaryFolder();
  await buildPackage(built.path);
  const tarball = await packPackage(built.path);
  await mustRun("tar", ["-xzf", tarball, "-C", extracted.path]);
  packageFolder = join(extracted.path, "package");
}, 120_000);

afterAll(async () => {
  await built[Symbol.asyncDispose]();
  await extracted[Symbol.asyncDispose]();
});

async function project(files: Record<string, string>, types?: readonly string[]) {
  const folder = await temporaryFolder();
  await createProject(folder.path, { packageFolder, trpc: TRPC.newest, ...(types && { types }) });
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder.path, name), text);
  return folder;
}

test("it holds what package.json promises, and nothing of how it was made", async () => {
  const files = await readdir(packageFolder, { recursive: true });
  const { exports, bin } = JSON.parse(await readFile(join(packageFolder, "package.json"), "utf8")) as {
    exports: Record<string, string | Record<string, string>>;
    bin: Record<string, string>;
  };
  const promised = [...Object.values(exports), bin].flatMap((entry) =>
    typeof entry === "string" ? [entry] : Object.values(entry),
  );
  for (const path of promised) expect(files).toContain(path.replace("./", ""));
  const top = new Set(files.map((path) => path.split("/")[0]));
  expect(top).toEqual(new Set(["dist", "docs", "README.md", "CHANGELOG.md", "LICENSE", "package.json"]));
  expect(files.filter((path) => /(?<!\.d)\.ts$|\.test\.|\.map$|\.log$/.test(path))).toEqual([]);
  for (const path of files.filter((name) => /\.m?js$|\.d\.ts$/.test(name))) {
    const text = await readFile(join(packageFolder, path), "utf8");
    expect(text.includes(ROOT), `${path} names a folder of the machine that built it`).toBe(false);
  }
});

test("a consumer in TypeScript reads the status as the enumeration, and it is not any", async () => {
  await using host = await project({
    "consumer.ts": `
      import { createSnapwire, createSnapwireRouter, type SnapwireRouter, type WorkspaceStatus } from "snapwire";
      import { createProjectReplica, createSnapwireClient } from "snapwire/client";
      import { createSnapwireServer, mountSnapwire } from "snapwire/server";
      import { unwrap } from "snapwire/testing";

      const live = createSnapwire();
      const router: SnapwireRouter = createSnapwireRouter({ live });
      const [entry] = live.workspaces.getByProjectId("p");
      const status: "NEW" | "PROVISIONING" | "READY" | "FAILED" | "ARCHIVING" | "ARCHIVED" | undefined = entry?.status;
      const same: WorkspaceStatus | undefined = status;
      // @ts-expect-error any would be a number too
      const wrong: number | undefined = entry?.status;
      // @ts-expect-error there is no such status
      const never = entry?.status === "SLEEPING";

      const server = createSnapwireServer({ live, router });
      // @ts-expect-error a server listens on a number
      await server.listen("3000");
      const client = createSnapwireClient({ url: "http://127.0.0.1:1" });
      const replica = createProjectReplica(client.trpc.snapshots, { projectId: "p" });
      // @ts-expect-error any would be a number too
      const wrongToo: number | undefined = replica.getSnapshot().entries[0]?.status;
      for await (const { data } of unwrap(router.createCaller({ identity: null }).snapshots.onProject({ projectId: "p" })))
        // @ts-expect-error not every frame has an entry
        data.entry;
      export { mountSnapwire, never, same, wrong, wrongToo };
    `,
  });
  expect(await tsc(host.path, "-p", ".")).toEqual({ code: 0, output: "" });
}, 60_000);

test("a page in a browser, which has no types of Node, keeps the types of the client", async () => {
  await using page = await project(
    {
      "page.ts": `
        import type { SnapwireRouter, WorkspaceEntry } from "snapwire";
        import { createProjectReplica, createSnapwireClient } from "snapwire/client";
        import { createTRPCClient, createWSClient, wsLink } from "@trpc/client";
        import superjson from "superjson";

        const client = createSnapwireClient({ url: location.href });
        const replica = createProjectReplica(client.trpc.snapshots, { projectId: "p" });
        const entries: readonly WorkspaceEntry[] = replica.getSnapshot().entries;
        // @ts-expect-error any would be a number too
        const wrong: number | undefined = entries[0]?.status;
        // @ts-expect-error any would be a number too
        const wrongToo: number | undefined = replica.getSnapshot().entries[0]?.status;

        const ws = createWSClient({ url: "ws://localhost" });
        const stock = createTRPCClient<SnapwireRouter>({ links: [wsLink({ client: ws, transformer: superjson })] });
        // @ts-expect-error there is no such status
        stock.snapshots.upsert.mutate({ workspaceId: "w", status: "SLEEPING" });
        stock.snapshots.byProject.query({ projectId: "p" }).then(({ entries: [first] }) => {
          // @ts-expect-error any would be a number too
          const status: number | undefined = first?.status;
          return status;
        });
        export { wrong, wrongToo };
      `,
    },
    [],
  );
  expect(await tsc(page.path, "-p", ".")).toEqual({ code: 0, output: "" });
}, 60_000);

test("each export loads in Node, and the pieces work together", async () => {
  await using host = await project({
    "consumer.mjs": `
      import * as snapwire from "snapwire";
      import * as server from "snapwire/server";
      import * as client from "snapwire/client";
      import * as testing from "snapwire/testing";
      import manifest from "snapwire/package.json" with { type: "json" };

      const live = snapwire.createSnapwire();
      await live.start();
      const router = snapwire.createSnapwireRouter({ live });
      const http = server.createSnapwireServer({ live, router });
      const url = await http.listen();
      const own = client.createSnapwireClient({ url, retry: { floorMs: 5, capMs: 20 } });
      const replica = client.createProjectReplica(own.trpc.snapshots, { projectId: "p" });
      await live.workspaces.upsert("w", { projectId: "p", status: "READY" });
      await new Promise((resolve) => {
        const look = () => replica.getSnapshot().entries.length === 1 && resolve();
        replica.subscribe(look);
        look();
      });
      const identity = { subject: "x", role: "admin", projects: "*" };
      const frames = testing.unwrap(router.createCaller({ identity }).snapshots.onProject({ projectId: "p" }));
      const { value } = await frames.next();
      await frames.return();
      await replica.close();
      await own.close();
      await http.close();
      await live.stop();
      console.log(JSON.stringify({
        status: replica.getSnapshot().entries[0].status,
        full: value.data.entries[0].statusReason.code,
        version: manifest.version,
        names: [snapwire, server, client, testing].map((module) => Object.keys(module).length > 0),
      }));
    `,
  });
  const output = await mustRun(process.execPath, ["--no-warnings", "consumer.mjs"], host.path);
  const { version } = JSON.parse(await readFile(join(ROOT, "package.json"), "utf8")) as { version: string };
  expect(JSON.parse(output)).toEqual({
    status: "READY",
    full: "NO_SESSION_STARTED",
    version,
    names: [true, true, true, true],
  });
}, 60_000);

test("the command runs from the tarball alone: it needs no other package", async () => {
  const { version } = JSON.parse(await readFile(join(packageFolder, "package.json"), "utf8")) as {
    version: string;
  };
  const output = await mustRun(
    process.execPath,
    [join(packageFolder, "dist/cli/snapwire.mjs"), "--version"],
    packageFolder,
  );
  expect(output).toContain(version);
}, 60_000);
