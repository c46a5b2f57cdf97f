/** What writes are answered, for random writes on a journal that answers late, twice or not at all. */
import fc from "fast-check";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { JournalRecord } from "../src/journal/journal.ts";
import type { WriteResult } from "../src/snapshots/store.ts";
import { cluster, HOUR, NOON, turn } from "./helpers/cluster.ts";
import type { AppendFate } from "./helpers/faulty-journal.ts";
import { following } from "./helpers/journal-sinks.ts";
import { type Expected, type Patch, ResultsModel, type Values, type Write } from "./helpers/results-model.ts";

beforeEach(() => void vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] }));
afterEach(() => void vi.useRealTimers());

const patch: fc.Arbitrary<Patch> = fc.record(
  {
    projectId: fc.constantFrom("p", "q"),
    name: fc.constantFrom("", "x", "y"),
    status: fc.constantFrom("NEW", "READY", "ARCHIVED"),
    prNumber: fc.option(fc.nat(2), { nil: null }),
  },
  { requiredKeys: [] },
);
const observedAt = fc.integer({ min: NOON - 6, max: NOON });
const write: fc.Arbitrary<Write> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant("patch" as const), patch, observedAt }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("remove" as const), observedAt }) },
);
const step = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({ do: fc.constant("write" as const), key: fc.constantFrom("v", "w"), write }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("hold" as const) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("release" as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("follow again" as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("prune" as const) }) },
);
const fates: fc.Arbitrary<AppendFate> = fc.oneof(
  { weight: 4, arbitrary: fc.constant("answered" as const) },
  { weight: 1, arbitrary: fc.constantFrom("ack-lost" as const, "request-lost" as const) },
);

interface Asked {
  readonly key: string;
  readonly expected: Expected;
  /** What the workspace is after this write, by the model. */
  readonly after: Values;
  readonly answer: Promise<WriteResult | { readonly refused: string }>;
}

/** The values in a stored record, as far as the model knows fields. */
function valuesIn({ body }: JournalRecord): Values {
  const { state } = body as unknown as { state: { model: { values: NonNullable<Values> } | null } };
  if (state.model === null) return null;
  const { projectId, name, status, prNumber } = state.model.values;
  return { projectId, name, status, prNumber };
}

function gap(steps: readonly number[]): { step?: () => number } {
  let at = 0;
  return steps.length === 0 ? {} : { step: () => steps[at++ % steps.length] ?? 1 };
}

test("R15 R16 every write is answered with what it did by itself and with the commit that holds it, and versions only grow", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { maxLength: 40, size: "max" }),
      fc.infiniteStream(fates),
      fc.array(fc.integer({ min: 1, max: 4 }), { maxLength: 3 }),
      async (steps, nextFate, gaps) => {
        await using c = await cluster(gap(gaps));
        const { live, faults } = await c.node();
        const stored = await following(c.journal.log("snapshots"));
        const losses = new Map<string, number>();
        faults.fate = ({ messageId }) => {
          const fate = nextFate.next().value;
          const lost = losses.get(messageId) ?? 0;
          if (fate === "answered" || lost === 3) return "answered";
          losses.set(messageId, lost + 1);
          return fate;
        };
        const models = new Map(["v", "w"].map((key) => [key, new ResultsModel()]));
        const asked: Asked[] = [];

        async function settle(): Promise<void> {
          faults.answers.open();
          faults.release();
          let done = false;
          const all = Promise.all(asked.map(({ answer }) => answer)).then(() => {
            done = true;
          });
          while (!done) {
            await vi.advanceTimersByTimeAsync(1_000);
            await turn();
          }
          await all;
        }

        for (const step of steps) {
          switch (step.do) {
            case "write": {
              const { key, write } = step;
              const model = models.get(key);
              if (!model) throw new Error("there are two workspaces");
              const expected = model.write(write);
              const options = { observedAt: write.observedAt };
              const written =
                write.kind === "remove"
                  ? live.workspaces.remove(key, options)
                  : live.workspaces.upsert(key, write.patch, options);
              const answer = written.catch((error: { reason?: string }) => ({
                refused: error.reason ?? String(error),
              }));
              asked.push({ key, expected, after: model.values, answer });
              break;
            }
            case "hold":
              faults.answers.held = true;
              break;
            case "release":
              faults.answers.open();
              await turn();
              break;
            case "follow again":
              await faults.followAgain();
              break;
            case "prune":
              await settle();
              c.now += 2 * HOUR;
              await live.workspaces.collection.prune();
              c.now = NOON;
              for (const [key, model] of models) if (!live.workspaces.collection.record(key)) model.forget();
          }
        }
        await settle();

        for (const key of models.keys()) {
          const records = stored.records.filter((record) => record.key === key);
          const valuesAt = new Map(records.map((record) => [record.sequence, valuesIn(record)]));
          valuesAt.set(0, null);
          let version = 0;
          const own = asked.filter((each) => each.key === key);
          for (const [index, { expected, answer }] of own.entries()) {
            const answered = await answer;
            expect(answered).toMatchObject(expected);
            if ("refused" in answered) continue;
            if (answered.version === 0) continue; // nobody remembers a record of it
            expect(answered.version).toBeGreaterThanOrEqual(version);
            version = answered.version;
            const next = own[index + 1];
            const after = next && (await next.answer);
            const lastOfItsCommit = !after || "refused" in after || after.version !== version;
            if (lastOfItsCommit && !(after && "refused" in after))
              expect(valuesAt.get(version), `version ${version} holds what was said last`).toEqual(
                own[index]?.after,
              );
          }
          const entry = live.workspaces.getByWorkspaceId(key);
          const values = models.get(key)?.values ?? null;
          const visible = values !== null && values.status !== "ARCHIVED";
          expect(entry?.version).toBe(visible ? records.at(-1)?.sequence : undefined);
          if (visible) expect(entry).toMatchObject(values);
        }
      },
    ),
    { numRuns: 300 },
  );
});
