/** The file holds what is true now: however often it was written, it stays about as large. */
import { randomUUID } from "node:crypto";
import { statSync } from "node:fs";
import { expect, test } from "vitest";
import { filesIn } from "../src/journal/embedded/embedded.ts";
import { openedEmbedded } from "./helpers/embedded-folder.ts";
import { following } from "./helpers/journal-sinks.ts";

const BODY = { text: "x".repeat(500) };
const AT_ONCE = 250;

test("200,000 overwrites of 1,000 keys leave a file that has long stopped growing", {
  timeout: 120_000,
}, async () => {
  const { journal, folder, dispose } = await openedEmbedded({ durability: "process" });
  const log = journal.log("snapshots");
  const newest = new Map<string, number>();
  const sizes: number[] = [];
  for (let n = 0; n < 200_000; n += AT_ONCE) {
    const keys = Array.from({ length: AT_ONCE }, (_, index) => `key ${(n + index) % 1_000}`);
    const stored = await Promise.all(
      keys.map((key) =>
        log.append({ key, body: BODY, expect: newest.get(key) ?? 0, messageId: randomUUID() }),
      ),
    );
    for (const [index, key] of keys.entries()) newest.set(key, stored[index]?.sequence ?? 0);
    if ((n + AT_ONCE) % 50_000 === 0) sizes.push(statSync(filesIn(folder).data).size);
  }
  const [, second = 0, , last = 0] = sizes;
  expect(last, `bytes: ${sizes.join(", ")}`).toBeLessThan(second * 1.1);
  expect(last).toBeLessThan(24 * 1024 * 1024);
  expect((await following(log)).records).toHaveLength(1_000);
  await dispose();
});

test("trimmed events give their room back to those that come", { timeout: 60_000 }, async () => {
  const { journal, folder, dispose } = await openedEmbedded({ durability: "process" });
  const log = journal.log("events");
  const sizes: number[] = [];
  let kept: { readonly key: string; readonly sequence: number }[] = [];
  for (let round = 0; round < 12; round += 1) {
    const keys = Array.from({ length: 2_000 }, () => randomUUID());
    const stored = await Promise.all(
      keys.map((key) => log.append({ key, body: BODY, expect: 0, messageId: key })),
    );
    const all = [...kept, ...keys.map((key, index) => ({ key, sequence: stored[index]?.sequence ?? 0 }))];
    kept = all.splice(-2_000);
    if (all.length > 0) {
      await log.raiseFloor("p/type", all.at(-1)?.sequence ?? 0);
      await log.dropRecords(all);
    }
    sizes.push(statSync(filesIn(folder).data).size);
  }
  expect(sizes.at(-1), `bytes: ${sizes.join(", ")}`).toBeLessThan((sizes[5] ?? 0) * 1.3);
  await dispose();
});
