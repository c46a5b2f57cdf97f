/** The steps of random programs for the hub. */
import fc from "fast-check";

/** How many target sets the steps choose from. */
const TARGETS = 6;

export type EventStep =
  | {
      readonly do: "publish";
      readonly node: number;
      readonly id: number;
      readonly project: number;
      readonly place: number;
      readonly type: number;
    }
  | { readonly do: "open"; readonly node: number; readonly target: number; readonly typed: boolean }
  | { readonly do: "take"; readonly client: number; readonly room: number }
  | { readonly do: "drop" | "resume"; readonly client: number; readonly node: number }
  | { readonly do: "trim" | "restart" | "follow-again" | "hold" | "release"; readonly node: number }
  | { readonly do: "wait"; readonly hours: number }
  | { readonly do: "lose-ack"; readonly node: number }
  | { readonly do: "replace-order" };

const node = fc.nat(1);
export const eventSteps: fc.Arbitrary<readonly EventStep[]> = fc.array(
  fc.oneof(
    {
      weight: 30,
      arbitrary: fc.record({
        do: fc.constant("publish" as const),
        node,
        id: fc.nat(400),
        project: fc.nat(2),
        place: fc.nat(5),
        type: fc.nat(1),
      }),
    },
    {
      weight: 6,
      arbitrary: fc.record({
        do: fc.constant("open" as const),
        node,
        target: fc.nat(TARGETS - 1),
        typed: fc.boolean(),
      }),
    },
    {
      weight: 20,
      arbitrary: fc.record({
        do: fc.constant("take" as const),
        client: fc.nat(9),
        room: fc.integer({ min: 1, max: 6 }),
      }),
    },
    { weight: 5, arbitrary: fc.record({ do: fc.constant("drop" as const), client: fc.nat(9), node }) },
    { weight: 8, arbitrary: fc.record({ do: fc.constant("resume" as const), client: fc.nat(9), node }) },
    {
      weight: 5,
      arbitrary: fc.record({
        do: fc.constantFrom("trim" as const, "hold" as const, "release" as const),
        node,
      }),
    },
    {
      weight: 2,
      arbitrary: fc.record({ do: fc.constantFrom("restart" as const, "follow-again" as const), node }),
    },
    { weight: 2, arbitrary: fc.record({ do: fc.constant("lose-ack" as const), node }) },
    {
      weight: 1,
      arbitrary: fc.record({ do: fc.constant("wait" as const), hours: fc.integer({ min: 1, max: 20 }) }),
    },
    { weight: 1, arbitrary: fc.constant({ do: "replace-order" as const }) },
  ),
  { minLength: 30, maxLength: 160, size: "max" },
);
