/** How a subscription begins, as a pure decision: every case, and every order of them. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { planSubscription, type ScopeRange } from "../src/feed/plan.ts";
import { formatPosition, parsePosition } from "../src/protocol/position.ts";

const TAG = "ABCDEFGHIJ_-";
const range: ScopeRange = { tag: TAG, floor: 10, head: 20, authoritativeHead: undefined };
const at = (sequence: number, kind?: "f" | "s") => formatPosition(TAG, sequence, kind);

describe("R7 a cursor", () => {
  test.each([
    ["that is none", undefined, {}, { kind: "full", reason: "first" }],
    ["that is null", null, {}, { kind: "full", reason: "first" }],
    ["that is empty", "", {}, { kind: "full", reason: "invalid" }],
    ["that cannot be read", "20", {}, { kind: "full", reason: "invalid" }],
    ["of another tag", formatPosition("another-tag-", 15), {}, { kind: "full", reason: "epoch-changed" }],
    [
      "of another tag, from the future",
      formatPosition("another-tag-", 99),
      {},
      { kind: "full", reason: "epoch-changed" },
    ],
    ["above this node's head", at(21), {}, { kind: "ask" }],
    ["above every node's head", at(21), { authoritativeHead: 20 }, { kind: "full", reason: "ahead" }],
    ["above this node's head only", at(21), { authoritativeHead: 21 }, { kind: "wait", sequence: 21 }],
    ["far above this node's head only", at(30), { authoritativeHead: 99 }, { kind: "wait", sequence: 30 }],
    ["at the head", at(20), {}, { kind: "resume", from: { tag: TAG, sequence: 20 } }],
    ["between floor and head", at(15), {}, { kind: "resume", from: { tag: TAG, sequence: 15 } }],
    ["of a control frame", at(15, "f"), {}, { kind: "resume", from: { tag: TAG, sequence: 15, kind: "f" } }],
    ["at the floor", at(10), {}, { kind: "resume", from: { tag: TAG, sequence: 10 } }],
    ["below the floor", at(9), {}, { kind: "full", reason: "trimmed" }],
    [
      "at zero where nothing was pruned",
      at(0),
      { floor: 0 },
      { kind: "resume", from: { tag: TAG, sequence: 0 } },
    ],
  ] as const)("%s", (_, lastEventId, given, plan) => {
    expect(planSubscription(lastEventId, { ...range, ...given })).toEqual(plan);
  });

  test("is resumed exactly when it lies between floor and head of its own order, whatever else is asked", () => {
    const sequence = fc.nat(30);
    fc.assert(
      fc.property(
        fc.constantFrom(TAG, "another-tag-"),
        sequence,
        sequence,
        sequence,
        fc.option(sequence, { nil: undefined }),
        (tag, cursor, floor, head, ahead) => {
          const authoritativeHead = ahead === undefined ? undefined : Math.max(ahead, head);
          const plan = planSubscription(formatPosition(tag, cursor), {
            tag: TAG,
            floor,
            head,
            authoritativeHead,
          });
          expect(plan.kind === "resume").toBe(tag === TAG && cursor >= floor && cursor <= head);
          if (plan.kind === "wait") expect(cursor).toBeGreaterThan(head);
          if (plan.kind === "full" && plan.reason === "ahead")
            expect(cursor).toBeGreaterThan(authoritativeHead ?? 0);
        },
      ),
    );
  });

  test("of any text at all is decided, and never throws", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        const { kind } = planSubscription(text, range);
        if (!parsePosition(text)) expect(kind).toBe("full");
      }),
    );
  });
});
