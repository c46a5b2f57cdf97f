/** One scope's list, against a plain sorted array; and what its operations cost, in steps. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ScopeView, type ViewNode } from "../src/collection/scope-view.ts";
import { CountedNodes } from "./helpers/counted-nodes.ts";

interface Row {
  readonly key: string;
  readonly sequence: number;
  readonly entry: string | null;
}

const rows = (view: ScopeView<string>): Row[] => {
  const list: Row[] = [];
  for (let node = view.after(-1); node; node = node.next)
    list.push({ key: node.key, sequence: node.sequence, entry: node.entry });
  return list;
};

const key = fc.constantFrom("a", "b", "c", "d", "e");
const command = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constant("put" as const), key, step: fc.integer({ min: 1, max: 3 }) }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant("bury" as const), key, step: fc.integer({ min: 1, max: 3 }) }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("late" as const), key, back: fc.nat(6) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("prune" as const), back: fc.nat(8) }) },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant("walk" as const), room: fc.integer({ min: 1, max: 4 }) }),
  },
);

test("a list is the newest visible change of each key, in order, whatever was put, buried and pruned", () => {
  fc.assert(
    fc.property(fc.array(command, { maxLength: 60 }), (commands) => {
      const view = new ScopeView<string>("s", "tag", 0);
      let model: Row[] = [];
      let head = 0;
      let floor = 0;
      let cursor = 0;
      let hint: ViewNode<string> | undefined;
      let before = view.entries();
      for (const step of commands) {
        const changesBefore = view.changes;
        switch (step.do) {
          case "put":
            head += step.step;
            view.put(step.key, head, `${step.key}@${head}`);
            model = [
              ...model.filter((row) => row.key !== step.key),
              { key: step.key, sequence: head, entry: `${step.key}@${head}` },
            ];
            break;
          case "bury":
            head += step.step;
            expect(view.bury(step.key, head, head)).toBe(true);
            model = [
              ...model.filter((row) => row.key !== step.key),
              { key: step.key, sequence: head, entry: null },
            ];
            break;
          case "late": {
            // An older departure, mentioned again by a later record: known, or pruned.
            const known = model.find((row) => row.key === step.key);
            const sequence = Math.max(0, (known?.sequence ?? floor) - step.back);
            expect(view.bury(step.key, sequence, head)).toBe(false);
            break;
          }
          case "prune": {
            const to = Math.max(0, head - step.back);
            const pruned = model.filter((row) => row.entry === null && row.sequence <= to);
            expect(view.prune(to)).toEqual(to > floor ? pruned.map((row) => row.key) : []);
            if (to <= floor) break;
            floor = to;
            model = model.filter((row) => !pruned.includes(row));
            break;
          }
          case "walk":
            // A subscriber: below the floor it starts anew, else it takes the oldest above its cursor.
            for (let room = step.room; room > 0; room -= 1) {
              if (cursor < floor) [cursor, hint] = [head, undefined];
              const next = view.after(cursor, hint);
              expect(next?.key).toBe(model.find((row) => row.sequence > cursor)?.key);
              expect(view.countAfter(cursor)).toBe(model.filter((row) => row.sequence > cursor).length);
              if (!next) break;
              [cursor, hint] = [next.sequence, next];
            }
        }
        expect(rows(view)).toEqual(model);
        expect(view.latest).toBe(model.at(-1)?.sequence ?? 0);
        expect(view.floor).toBe(floor);
        expect(view.tombstoneCount).toBe(model.filter((row) => row.entry === null).length);
        expect(view.entryCount).toBe(model.length - view.tombstoneCount);
        expect(view.isEmpty).toBe(model.length === 0);
        const entries = view.entries();
        expect(entries).toEqual(model.flatMap((row) => row.entry ?? []));
        if (view.changes === changesBefore && step.do !== "prune") expect(entries).toBe(before);
        before = entries;
      }
    }),
  );
});

test("a list that was loaded out of order is the list that grew in order, above its floor", () => {
  const change = fc.record({ key, entry: fc.boolean() });
  fc.assert(
    fc.property(
      fc.array(change, { maxLength: 20 }),
      fc.nat(20),
      fc.nat({ max: 2 ** 31 - 1 }),
      (changes, own, order) => {
        const grown = new ScopeView<string>("s", "tag", 0);
        const newest = new Map<string, { sequence: number; entry: boolean }>();
        for (const [index, { key, entry }] of changes.entries()) {
          const sequence = index + 1;
          if (entry) grown.put(key, sequence, `${key}@${sequence}`);
          else grown.bury(key, sequence, 0);
          newest.set(key, { sequence, entry });
        }
        grown.prune(own);
        const loaded = new ScopeView<string>("s", "tag", 0);
        const shuffled = [...newest].sort(([a], [b]) => shuffle(a, order) - shuffle(b, order));
        for (const [key, { sequence, entry }] of shuffled) {
          if (entry) loaded.put(key, sequence, `${key}@${sequence}`);
          else loaded.bury(key, sequence, 0);
        }
        loaded.load(own, 0);
        expect(rows(loaded)).toEqual(rows(grown));
        expect(loaded.floor).toBe(own);
        expect(loaded.tombstoneCount).toBe(grown.tombstoneCount);
      },
    ),
  );
});

/** Some order of the keys for each seed. */
function shuffle(key: string, seed: number): number {
  return ((key.charCodeAt(0) * 2_654_435_761) ^ (seed * 40_503)) % 97;
}

describe("prunable", () => {
  function buried(ages: readonly number[]): ScopeView<string> {
    const view = new ScopeView<string>("s", "tag", 0);
    for (const [index, at] of ages.entries()) view.bury(`k${index}`, index + 1, at);
    return view;
  }

  test("names the newest of the tombstones that are too old", () => {
    expect(buried([10, 20, 30]).prunable(100, 20)).toBe(2);
    expect(buried([10, 20, 30]).prunable(100, 9)).toBe(0);
    expect(buried([10, 20, 30]).prunable(100, 30)).toBe(3);
  });

  test("names the newest of those that are too many, however young", () => {
    expect(buried([50, 50, 50, 50]).prunable(3, 0)).toBe(1);
    expect(buried([50, 50, 50, 50]).prunable(0, 0)).toBe(4);
    expect(buried([]).prunable(0, 0)).toBe(0);
  });

  test("stops at the first that has to be kept, though the clock went back after it", () => {
    expect(buried([10, 90, 20]).prunable(100, 50)).toBe(1);
  });
});

describe("cost, in steps over nodes", () => {
  const SIZES = [10, 10_000] as const;
  const names = (size: number) => Array.from({ length: size }, (_, index) => `k${index}`);

  /** A scope of `size` entries, every node of which is counted. */
  function filled(size: number) {
    const view = new ScopeView<string>("s", "tag", 0);
    for (const [index, name] of names(size).entries()) view.put(name, index + 1, name);
    const counted = new CountedNodes();
    counted.watch(view, names(size));
    return { view, counted };
  }

  /** The steps of one operation, in a small scope and in a large one. */
  function compared(work: (view: ScopeView<string>, size: number) => void): readonly [number, number] {
    const [small, large] = SIZES.map((size) => {
      const { view, counted } = filled(size);
      return counted.during(() => work(view, size));
    });
    return [small ?? -1, large ?? -2];
  }

  test.each([
    ["a put of a known key", (view: ScopeView<string>) => view.put("k4", 20_000, "new")],
    ["a put of a new key", (view: ScopeView<string>) => view.put("new", 20_000, "new")],
    ["a removal", (view: ScopeView<string>) => view.bury("k4", 20_000, 0)],
    ["a prune of nothing", (view: ScopeView<string>) => view.prune(1)],
    ["a look at what is prunable", (view: ScopeView<string>) => view.prunable(5, 0)],
    ["a walk of one who has seen everything", (view: ScopeView<string>) => view.after(view.latest)],
    [
      "counting what one has missed who missed nothing",
      (view: ScopeView<string>) => view.countAfter(view.latest),
    ],
  ] as const)("%s takes as many in a scope of ten as in one of ten thousand", (_, work) => {
    const [small, large] = compared(work);
    expect(large).toBe(small);
    expect(large).toBeLessThanOrEqual(20);
  });

  test("a walk takes steps for what is new, and none for what is not", () => {
    const walk = (missed: number) =>
      compared((view, size) => {
        let cursor = size - missed;
        let last: ViewNode<string> | undefined;
        for (let node = view.after(cursor, last); node; node = view.after(cursor, last)) {
          cursor = node.sequence;
          last = node;
        }
        expect(cursor).toBe(size);
      });
    for (const missed of [1, 5, 9]) {
      const [small, large] = walk(missed);
      expect(large).toBe(small);
      expect(large, "found once from the tail, then from the one taken last").toBeLessThanOrEqual(
        10 * missed + 10,
      );
    }
  });

  test("a long catch-up takes steps in proportion to what was missed, though each is taken by itself", () => {
    const { view, counted } = filled(10_000);
    let cursor = 0;
    let last: ViewNode<string> | undefined;
    const steps = counted.during(() => {
      for (let node = view.after(cursor, last); node; node = view.after(cursor, last)) {
        cursor = node.sequence;
        last = node;
      }
    });
    expect(cursor).toBe(10_000);
    expect(steps).toBeLessThanOrEqual(10 * 10_000);
  });

  test("all entries are gathered once, however many ask, until something changes", () => {
    const { view, counted } = filled(10_000);
    const first = view.entries();
    expect(counted.during(() => void view.entries())).toBe(0);
    expect(view.entries()).toBe(first);
    view.put("k4", 20_000, "new");
    expect(view.entries()).not.toBe(first);
    expect(Object.isFrozen(view.entries())).toBe(true);
  });
});
