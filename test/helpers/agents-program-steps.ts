/** The steps of random programs of senders and devices. */
import fc from "fast-check";

export type Step =
  | { readonly do: "send"; readonly device: number; readonly node: number; readonly key: number | null }
  | { readonly do: "connect"; readonly device: number; readonly node: number; readonly reject: boolean }
  | { readonly do: "drop"; readonly device: number }
  | { readonly do: "ack"; readonly device: number; readonly node: number; readonly failed: boolean }
  | { readonly do: "old-ack"; readonly device: number; readonly pick: number }
  | { readonly do: "resend"; readonly pick: number }
  | { readonly do: "pass"; readonly seconds: number }
  | { readonly do: "restart"; readonly node: number; readonly crash: boolean };

export const DEVICES = 3;
const device = fc.nat(DEVICES - 1);
const node = fc.nat(1);

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ do: fc.constant("send" as const), device, node, key: fc.option(fc.nat(4)) }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constant("connect" as const), device, node, reject: fc.boolean() }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("drop" as const), device }) },
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant("ack" as const),
      device,
      node,
      failed: fc.integer({ min: 0, max: 9 }).map((n) => n === 0),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("old-ack" as const), device, pick: fc.nat() }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("resend" as const), pick: fc.nat() }) },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant("pass" as const), seconds: fc.constantFrom(1, 20, 61) }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("restart" as const), node, crash: fc.boolean() }) },
);

/** Steps of one batch begin in the same turn. */
export const programs: fc.Arbitrary<readonly (readonly Step[])[]> = fc.array(
  fc.array(step, { minLength: 1, maxLength: 4 }),
  { maxLength: 40, size: "max" },
);
