/** Random programs: what writers, clients, clocks, nodes and the network may do, in any order. */
import fc from "fast-check";
import type { AppendFate } from "./faulty-journal.ts";
import type { From } from "./program-client.ts";

const PROJECTS = ["p", "p1", "p.1"] as const;
const WORKSPACES = ["a", "b", "c", "d"] as const;
export const CLIENTS = ["p", "p", "p1", "p.1"] as const;

export type Step =
  | {
      readonly do: "write";
      readonly node: number;
      readonly workspace: string;
      readonly patch: {
        readonly projectId?: string;
        readonly name?: string;
        readonly status?: "READY" | "ARCHIVED";
      };
      /** How long ago it was seen, in milliseconds. */
      readonly age: number;
    }
  | { readonly do: "remove"; readonly node: number; readonly workspace: string }
  | {
      readonly do: "open";
      readonly client: number;
      readonly node: number;
      readonly from: From;
      readonly pick: number;
    }
  | { readonly do: "take"; readonly client: number; readonly room: number }
  | { readonly do: "drop"; readonly client: number }
  | { readonly do: "prune"; readonly node: number; readonly ms: number }
  | { readonly do: "restart"; readonly node: number }
  | { readonly do: "turn" }
  | Fault;

export type Fault =
  | { readonly do: "hold" | "again" | "away" | "back"; readonly node: number }
  | { readonly do: "release"; readonly node: number; readonly count: number }
  | { readonly do: "gate"; readonly node: number; readonly gate: "requests" | "answers" | "upkeep" | "heads" }
  | {
      readonly do: "let";
      readonly node: number;
      readonly gate: "requests" | "answers" | "upkeep" | "heads";
      readonly index: number;
    }
  | { readonly do: "lose"; readonly node: number; readonly fate: AppendFate }
  | { readonly do: "wait"; readonly ms: number }
  | { readonly do: "replace"; readonly backup: number | undefined };

type Weighted = { readonly weight: number; readonly arbitrary: fc.Arbitrary<Step> };

const node = fc.nat(1);
const client = fc.nat(CLIENTS.length - 1);
const workspace = fc.constantFrom(...WORKSPACES);
const patch = fc.record(
  {
    projectId: fc.oneof({ weight: 3, arbitrary: fc.constant("p" as string) }, fc.constantFrom(...PROJECTS)),
    name: fc.constantFrom("", "x", "y", "z"),
    status: fc.constantFrom("READY" as const, "READY" as const, "ARCHIVED" as const),
  },
  { requiredKeys: [] },
);
const age = fc.oneof({ weight: 5, arbitrary: fc.constant(0) }, fc.nat(3));
const from = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom<From>("own", "own", "earlier") },
  { weight: 1, arbitrary: fc.constantFrom<From>("nowhere", "garbage", "future", "foreign") },
);
const gate = fc.constantFrom("requests" as const, "answers" as const, "upkeep" as const, "heads" as const);
const always = <Name extends Step["do"]>(name: Name) => fc.constant(name);

const WEATHER: readonly Weighted[] = [
  {
    weight: 16,
    arbitrary: fc.record({
      do: always("write"),
      node,
      workspace,
      // A workspace that nobody knows needs a project: most patches say one.
      patch: fc.oneof(
        patch,
        patch.map((said) => ({ projectId: "p", ...said })),
      ),
      age,
    }),
  },
  { weight: 4, arbitrary: fc.record({ do: always("remove"), node, workspace }) },
  { weight: 6, arbitrary: fc.record({ do: always("open"), client, node, from, pick: fc.nat(30) }) },
  {
    weight: 10,
    arbitrary: fc.record({ do: always("take"), client, room: fc.constantFrom(1, 2, 3, 1_000) }),
  },
  { weight: 2, arbitrary: fc.record({ do: always("drop"), client }) },
  {
    weight: 3,
    arbitrary: fc.record({ do: always("prune"), node, ms: fc.constantFrom(0, 1_000_000, 3_600_001) }),
  },
  { weight: 3, arbitrary: fc.record({ do: always("restart"), node }) },
  { weight: 3, arbitrary: fc.record({ do: always("turn") }) },
];

const FAULTS: readonly Weighted[] = [
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom("hold" as const, "again" as const), node }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom("away" as const, "back" as const), node }) },
  {
    weight: 5,
    arbitrary: fc.record({ do: always("release"), node, count: fc.constantFrom(1, 2, 3, 1_000) }),
  },
  { weight: 2, arbitrary: fc.record({ do: always("gate"), node, gate }) },
  { weight: 4, arbitrary: fc.record({ do: always("let"), node, gate, index: fc.nat(3) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: always("lose"),
      node,
      fate: fc.constantFrom<AppendFate>("ack-lost", "request-lost", "refused"),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: always("wait"), ms: fc.constantFrom(10, 60, 700, 11_000) }) },
  {
    weight: 1,
    // The rarest of all.
    arbitrary: fc.oneof(
      {
        weight: 1,
        arbitrary: fc.record({ do: always("replace"), backup: fc.option(fc.nat(100), { nil: undefined }) }),
      },
      { weight: 2, arbitrary: fc.record({ do: always("turn") }) },
    ),
  },
];

const programOf = (steps: readonly Weighted[], maxLength: number): fc.Arbitrary<readonly Step[]> =>
  fc.array(fc.oneof(...steps), { minLength: 30, maxLength, size: "max" });

/** Writers, clients and pruning. */
export const fairWeather = programOf(WEATHER, 60);
/** The same, and everything that can go wrong on the way. */
export const foulWeather = programOf([...WEATHER, ...FAULTS], 90);
