/** The declarations of events as published: a host publishes and listens by them, and the examples of the manual compile. */
import { cp, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { buildPackage, createProject, ROOT, TRPC, temporaryFolder, tsc } from "./helpers/host-project.ts";

let built: Awaited<ReturnType<typeof temporaryFolder>>;
beforeAll(async () => {
  built = await temporaryFolder();
  await buildPackage(built.path);
}, 120_000);
afterAll(() => built[Symbol.asyncDispose]());

async function host(trpc: keyof typeof TRPC) {
  const folder = await temporaryFolder();
  await createProject(folder.path, { packageFolder: built.path, trpc: TRPC[trpc] });
  return { ...folder, check: () => tsc(folder.path, "-p", ".") };
}

test.each(["oldest", "newest"] as const)(
  "on the %s tRPC events keep their types, and what is wrong is refused",
  async (trpc) => {
    await using project = await host(trpc);
    for (const file of ["events.ts", "is-any.ts"])
      await cp(join(ROOT, "test/types", file), join(project.path, file));
    expect(await project.check()).toEqual({ code: 0, output: "" });
  },
  120_000,
);

test("the examples of docs/events.md compile", async () => {
  await using project = await host("newest");
  const text = await readFile(join(ROOT, "docs/events.md"), "utf8");
  const examples = [...text.matchAll(/^```ts\n\/\/ (\S+\.ts)\n[\s\S]*?^```/gm)];
  expect(examples.length, "each block is a file with a name").toBe(text.split("\n```ts\n").length - 1);
  for (const [block, name = ""] of examples)
    await writeFile(join(project.path, name), block.replaceAll(/^```.*$/gm, ""));
  expect(await project.check()).toEqual({ code: 0, output: "" });
}, 120_000);
