/** The last words of run scripts: bounded, in order, each once, however slow whoever reads them is. */
import fc from "fast-check";
import { describe, expect, test, vi } from "vitest";
import { RunReporter, type RunServer } from "../src/cli/run-reporter.ts";
import { createSnapwireRouter } from "../src/router/index.ts";
import { nextFrame, type OutputCursor } from "../src/run-output/frames.ts";
import { RunOutputs } from "../src/run-output/run-outputs.ts";
import { ScriptOutput, TAIL_BYTES } from "../src/run-output/script-output.ts";
import { createSnapwire } from "../src/snapwire.ts";

const ASKED = { workspaceId: "w", name: "run" };
const piece = fc.oneof(
  fc.string({ maxLength: 200 }),
  fc.constantFrom("é", "👍", "x".repeat(20_000), "漢".repeat(9_000)),
);

describe("the tail of a script", () => {
  test("is the end of what was printed, at most 64 KiB, whatever the pieces and however often they come", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(piece, fc.boolean()), { maxLength: 30 }), (pieces) => {
        const script = new ScriptOutput("r", "aaaaaaaaaaaa");
        let all = "";
        for (const [text, twice] of pieces) {
          script.append(all.length, text);
          if (twice) expect(script.append(all.length, text)).toBe(false);
          all += text;
        }
        const kept = script.slice(script.start, Number.POSITIVE_INFINITY);
        expect(script.end).toBe(all.length);
        expect(script.bytes).toBeLessThanOrEqual(TAIL_BYTES);
        expect(all.slice(script.start).startsWith(kept)).toBe(true);
        expect(all.length - script.start - kept.length).toBeLessThanOrEqual(1); // half a pair of surrogates
        if (Buffer.byteLength(all) <= TAIL_BYTES) expect(script.start).toBe(0);
      }),
    );
  });

  test("reaches a reader who looks now and then, in order and without a gap, or as a tail that says why", () => {
    const step = fc.oneof(
      fc.record({ print: piece }),
      fc.record({ look: fc.nat(4) }),
      fc.constant({ restart: true as const }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const outputs = new RunOutputs();
        let [run, all] = [0, ""];
        let cursor: OutputCursor | undefined;
        let read = "";
        const look = (): boolean => {
          const told = nextFrame(outputs.of("w", "run"), cursor, ASKED);
          if (!told) return false;
          cursor = told.cursor;
          if (told.frame.type === "output_tail") read = told.frame.text;
          else if (told.frame.type === "output") read += told.frame.text;
          return true;
        };
        for (const one of steps) {
          if ("print" in one) {
            outputs.append({ ...ASKED, run: `r${run}`, from: all.length, text: one.print });
            all += one.print;
          } else if ("look" in one) for (let times = 0; times < one.look; times += 1) look();
          else [run, all] = [run + 1, ""];
        }
        outputs.append({ ...ASKED, run: `r${run}`, from: all.length, text: "." });
        all += ".";
        while (look());
        expect(read.length).toBeGreaterThan(0);
        expect(all.endsWith(read) || read.endsWith(all)).toBe(true);
      }),
    );
  });

  test("is bounded over all scripts, and gone with its workspace", () => {
    const outputs = new RunOutputs();
    for (let index = 0; index < 1_200; index += 1)
      outputs.append({ workspaceId: `w${index}`, name: "run", run: "r", from: 0, text: "x".repeat(30_000) });
    const { scripts, bytes } = outputs.stats();
    expect(scripts).toBeLessThanOrEqual(1_000);
    expect(bytes).toBeLessThanOrEqual(16 * 1024 * 1024);
    expect(outputs.of("w0", "run")).toBeUndefined();
    outputs.forget("w1199");
    expect(outputs.of("w1199", "run")).toBeUndefined();
    expect(outputs.of("w1198", "run")).toBeDefined();
    expect(outputs.stats().bytes).toBe(bytes - 30_000);
  });
});

async function service() {
  const live = createSnapwire({ workspaceAt: (path) => (path === "/w" ? "w" : undefined) });
  await live.start();
  await live.workspaces.upsert("w", { projectId: "p" });
  const router = createSnapwireRouter({ live, recheckEveryMs: 5 });
  const as = (role: "viewer" | "publisher", projects: readonly string[], recheck?: () => Promise<null>) =>
    router.createCaller({ identity: { subject: role, role, projects }, ...(recheck && { recheck }) });
  return { live, as, [Symbol.asyncDispose]: () => live.stop() };
}

/** A caller gets tracked frames as pairs. */
const pairs = (iterable: unknown) =>
  iterable as AsyncIterable<[string, { type: string; text?: string; reason?: string }]>;

describe("runScripts.onOutput", () => {
  test("begins with the tail, goes on with what comes, and resumes from a position without telling anything twice", async () => {
    await using s = await service();
    const script = s.as("publisher", ["p"]);
    await script.runScripts.output({ workspaceId: "w", run: "r", from: 0, text: "one\n" });
    const stop = new AbortController();
    const seen: [string, { type: string; text?: string; reason?: string }][] = [];
    const watching = (async (lastEventId?: string) => {
      const caller = s.as("viewer", ["p"]);
      const signal = AbortSignal.any([stop.signal]);
      for await (const [id, data] of pairs(
        await caller.runScripts.onOutput({ workspaceId: "w", lastEventId }),
      )) {
        seen.push([id, data]);
        if (signal.aborted) return;
        if (seen.length === 2) return;
      }
    })();
    await vi.waitFor(() => expect(seen).toHaveLength(1));
    await script.runScripts.output({ workspaceId: "w", run: "r", from: 4, text: "two\n" });
    await watching;
    expect(seen.map(([, data]) => data)).toMatchObject([
      { type: "output_tail", reason: "first", text: "one\n", cut: false, run: "r" },
      { type: "output", text: "two\n" },
    ]);
    await script.runScripts.output({ workspaceId: "w", run: "r", from: 8, text: "three\n" });
    const first = async (lastEventId: string) => {
      const iterable = await s.as("viewer", ["p"]).runScripts.onOutput({ workspaceId: "w", lastEventId });
      for await (const [, data] of pairs(iterable)) return data;
    };
    expect(await first(seen[1]?.[0] ?? "")).toEqual({ type: "output", text: "three\n" });
    expect(await first(seen[0]?.[0] ?? "")).toEqual({ type: "output", text: "two\nthree\n" });
    expect(await first("nonsense")).toMatchObject({ type: "output_tail", reason: "invalid" });
    await script.runScripts.output({ workspaceId: "w", run: "r2", from: 0, text: "anew\n" });
    expect(await first(seen[1]?.[0] ?? "")).toMatchObject({
      type: "output_tail",
      reason: "new-run",
      text: "anew\n",
    });
    await vi.waitFor(() => expect(s.live.runOutputs.stats().subscriptions).toBe(0));
  });

  test("is for those who may see the project, ends with their right, and output is taken from those who may write", async () => {
    await using s = await service();
    const output = { workspaceId: "w", run: "r", from: 0, text: "x" };
    await expect(s.as("viewer", ["p"]).runScripts.output(output)).rejects.toMatchObject({
      code: "FORBIDDEN",
    });
    await expect(s.as("publisher", ["q"]).runScripts.output(output)).rejects.toMatchObject({
      code: "FORBIDDEN",
    });
    await expect(s.as("viewer", ["q"]).runScripts.onOutput({ workspaceId: "w" })).rejects.toMatchObject({
      code: "FORBIDDEN",
    });
    expect(await s.as("viewer", ["p"]).runScripts.at({ path: "/w" })).toEqual({ workspaceId: "w" });
    expect(await s.as("viewer", ["q"]).runScripts.at({ path: "/w" })).toBeNull();
    expect(await s.as("viewer", ["p"]).runScripts.at({ path: "/else" })).toBeNull();
    const types: string[] = [];
    const caller = s.as("viewer", ["p"], () => Promise.resolve(null));
    for await (const [, data] of pairs(await caller.runScripts.onOutput({ workspaceId: "w" })))
      types.push(data.type);
    expect(types).toEqual(["output_tail", "output_ended"]);
  });
});

describe("whoever tells of a command", () => {
  const chunk = (text: string): Buffer => Buffer.from(text);

  test("sends each character once, in order, though answers are lost", async () => {
    const outputs = new RunOutputs();
    const statuses: string[] = [];
    let calls = 0;
    const server: RunServer = {
      workspace: () => Promise.resolve("w"),
      status: (_workspace, status) => Promise.resolve(void statuses.push(status)),
      output: async (report) => {
        outputs.append({ ...report, name: "run" });
        calls += 1;
        if (calls === 1) throw new Error("the answer was lost");
      },
    };
    const reporter = new RunReporter({ server, now: () => 5 });
    reporter.say("STARTING");
    reporter.say("RUNNING");
    reporter.print(chunk("é").subarray(0, 1), "stdout");
    reporter.print(chunk("[x]"), "stderr");
    reporter.print(chunk("é").subarray(1), "stdout");
    await vi.waitFor(() => expect(calls).toBe(1));
    reporter.print(chunk("more"), "stdout");
    reporter.say("COMPLETED");
    await reporter.close(5_000);
    await vi.waitFor(() => expect(outputs.of("w", "run")?.slice(0, 100)).toBe("[x]émore"));
    expect(statuses).toEqual(["STARTING", "RUNNING", "COMPLETED"]);
  });

  test("holds no more than 64 KiB for a server that does not answer, and says what it left out", async () => {
    const sent: string[] = [];
    let answer: (() => void) | undefined;
    const server: RunServer = {
      workspace: () => Promise.resolve("w"),
      status: () => Promise.resolve(),
      output: ({ text }) => {
        sent.push(text);
        return new Promise((resolve) => {
          answer = resolve;
        });
      },
    };
    const reporter = new RunReporter({ server, now: Date.now });
    reporter.print(chunk("begin"), "stdout");
    await vi.waitFor(() => expect(sent).toHaveLength(1));
    for (let index = 0; index < 1_000; index += 1) reporter.print(chunk("x".repeat(1_000)), "stdout");
    const closing = reporter.close(2_000);
    await vi.waitFor(() => {
      answer?.();
      expect(sent.length).toBeGreaterThanOrEqual(5);
    });
    await closing;
    expect(sent[1]).toMatch(/^\n\[snapwire: 934464 characters left out\]\nx/);
    expect(sent.join("").length).toBeLessThan(70_000);
  });
});
