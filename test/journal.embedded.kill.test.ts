/** R19, P7: a writer that is killed at any instant. What it said before is what the next one finds. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { bundled } from "./helpers/bundled.ts";
import { Witness } from "./helpers/embedded-witness.ts";
import type { Line } from "./helpers/embedded-writer.ts";

let room = "";
let writer = "";

beforeAll(async () => {
  room = mkdtempSync(join(tmpdir(), "snapwire-kill-"));
  writer = await bundled("test/helpers/embedded-writer.ts", room);
});
afterAll(() => rmSync(room, { recursive: true, force: true }));

interface Killed {
  readonly lines: readonly Line[];
  readonly errors: string;
  readonly by: string | number | null;
}

/** @param when - milliseconds after the start, or after the writer is ready */
async function killed(
  args: readonly string[],
  when: { readonly after: "start" | "ready"; readonly ms: number },
): Promise<Killed> {
  const child = spawn(process.execPath, [writer, ...args], { stdio: ["ignore", "pipe", "pipe"] });
  let [out, errors] = ["", ""];
  const kill = (): void => void setTimeout(() => child.kill("SIGKILL"), when.ms);
  let isDue = when.after === "ready";
  if (!isDue) kill();
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    out += text;
    if (!isDue || !out.includes('["ready"]')) return;
    isDue = false;
    kill();
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    errors += text;
  });
  await once(child, "close");
  const whole = out.slice(0, out.lastIndexOf("\n") + 1); // it may have been killed within a line
  const lines = whole.split("\n").filter((line) => line !== "");
  return { lines: lines.map((line) => JSON.parse(line)), errors, by: child.signalCode ?? child.exitCode };
}

/** Repeatable: which instant it is depends on the machine all the same. */
function* instants(seed: number): Generator<number> {
  for (let state = seed; ; ) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    yield state / 2 ** 32;
  }
}

test.each([
  { durability: "disk", runs: 100 },
  { durability: "process", runs: 30 },
] as const)(
  "R19 P7 of $runs writers ($durability) that are killed, none loses or undoes what it said, in one epoch",
  {
    timeout: 180_000,
  },
  async ({ durability, runs }) => {
    const folder = join(room, durability);
    const witness = new Witness();
    const random = instants(runs);
    let ready = 0;
    for (let run = 0; run < runs; run += 1) {
      const instant = random.next().value;
      // One in five is killed while it starts: on its way to taking the folder over, or just after.
      const when =
        run % 5 === 4
          ? { after: "start" as const, ms: 40 + instant * 120 }
          : { after: "ready" as const, ms: instant * 40 };
      const { lines, errors, by } = await killed([folder, durability, String(run)], when);
      expect({ errors, by }).toEqual({ errors: "", by: "SIGKILL" });
      if (lines.some(([what]) => what === "ready")) ready += 1;
      witness.listen(lines);
    }
    expect(ready).toBeGreaterThanOrEqual(runs * 0.8);
    expect(witness.told, "they did write").toBeGreaterThan(runs * 20);
    expect(witness.epochs, "the system stayed up: nothing was rolled back").toHaveLength(1);
  },
);
