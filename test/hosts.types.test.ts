/** The declarations as published, checked in projects of their own against every tRPC that hosts bring. */
import { cp, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { buildPackage, createProject, ROOT, TRPC, temporaryFolder, tsc } from "./helpers/host-project.ts";

let built: Awaited<ReturnType<typeof temporaryFolder>>;
beforeAll(async () => {
  built = await temporaryFolder();
  await buildPackage(built.path);
}, 120_000);
afterAll(() => built[Symbol.asyncDispose]());

const FILES = ["host.ts", "client.ts", "is-any.ts"];

async function hostOn(
  trpc: keyof typeof TRPC,
  { ownTrpc, strict = false }: { ownTrpc?: string; strict?: boolean } = {},
) {
  const folder = await temporaryFolder();
  await createProject(folder.path, {
    packageFolder: built.path,
    trpc: TRPC[trpc],
    skipLibCheck: !strict,
    ...(ownTrpc && { ownTrpc }),
  });
  for (const file of FILES) await cp(join(ROOT, "test/types", file), join(folder.path, file));
  const edit = async (file: string, change: (text: string) => string): Promise<void> => {
    const path = join(folder.path, file);
    await writeFile(path, change(await readFile(path, "utf8")));
  };
  return { ...folder, edit, check: () => tsc(folder.path, "-p", ".") };
}

describe.each([
  ["11.9.0", "oldest"],
  ["11.22.1", "middle"],
  ["11.25.2", "newest"],
] as const)("in a host on tRPC %s", (_version, trpc) => {
  test("everything keeps its type, on the server and on the client, and what is wrong is refused", async () => {
    await using host = await hostOn(trpc);
    expect(await host.check()).toEqual({ code: 0, output: "" });
  }, 120_000);

  test("the declarations themselves are sound", async () => {
    await using host = await hostOn(trpc, { strict: true });
    const { output } = await host.check();
    expect(output.split("\n").filter((line) => /^(node_modules\/snapwire|[^ /]+\.ts)/.test(line))).toEqual(
      [],
    );
  }, 120_000);
});

test("the check can fail: an entry that collapses to any is found", async () => {
  await using host = await hostOn("newest");
  await host.edit("node_modules/snapwire/dist/src/router/procedures.d.ts", (text) =>
    text.replaceAll(/readonly Entry\[\]|SnapshotFrame<Entry>/g, "any"),
  );
  const { code, output } = await host.check();
  expect(code).not.toBe(0);
  expect(output).toMatch(/^host\.ts.*TS2344/m);
  expect(output).toMatch(/^client\.ts.*TS2344/m);
}, 120_000);

test.each([
  ["11.9.0", "oldest"],
  ["11.25.2", "newest"],
] as const)(
  "the examples of docs/hosts.md compile on tRPC %s",
  async (_version, trpc) => {
    await using host = await hostOn(trpc);
    for (const file of FILES) await rm(join(host.path, file));
    const text = await readFile(join(ROOT, "docs/hosts.md"), "utf8");
    const examples = [...text.matchAll(/^```ts\n\/\/ (\S+\.ts)\n[\s\S]*?^```/gm)];
    expect(examples.length, "each block is a file with a name").toBe(text.split("\n```ts\n").length - 1);
    for (const [block, name = ""] of examples)
      await writeFile(join(host.path, name), block.replaceAll(/^```.*$/gm, ""));
    expect(await host.check()).toEqual({ code: 0, output: "" });
  },
  120_000,
);

test("two copies of tRPC are an error of the compiler, and by a cast the records keep their types", async () => {
  await using copy = await temporaryFolder();
  await cp(TRPC.newest, join(copy.path, "node_modules/@trpc"), { recursive: true });
  await using host = await hostOn("newest", { ownTrpc: join(copy.path, "node_modules/@trpc") });
  for (const file of FILES.slice(0, 2)) await rm(join(host.path, file));
  await writeFile(join(host.path, "two-copies.ts"), TWO_COPIES);
  expect(await host.check()).toEqual({ code: 0, output: "" });
}, 120_000);

const TWO_COPIES = `
import { type inferRouterOutputs, initTRPC, tracked } from "@trpc/server";
import { type AuthorizeRequest, createSnapwire, createSnapwireProcedures, type WorkspaceStatus } from "snapwire";
import { holds, type Same } from "./is-any.js";

interface Context { readonly user: string }
const t = initTRPC.context<Context>().create();
const live = createSnapwire();
createSnapwireProcedures({
  live,
  // @ts-expect-error another copy of tRPC made it
  procedure: t.procedure,
  tracked,
});
const { snapshots } = createSnapwireProcedures({
  live,
  procedure: t.procedure as never,
  tracked,
  authorize: ({ ctx }: AuthorizeRequest<Context>) => ctx.user === "ada",
});
const router = t.router({ snapshots: t.router(snapshots) });
type Entry = inferRouterOutputs<typeof router>["snapshots"]["byProject"]["entries"][number];
holds<Same<Entry["status"], WorkspaceStatus>>();
`;
