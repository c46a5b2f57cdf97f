/** The lane of a device, as a node knows it that does not hear of every record: one that was replaced is never told. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { Ledger, type MessageRecord } from "../src/agents/ledger.ts";
import type { MessageStatus } from "../src/protocol/agents.ts";

const record = (sequence: number, order: number, status: MessageStatus = "waiting"): MessageRecord => ({
  sequence,
  state: {
    deviceId: "d",
    sender: "",
    payload: null,
    text: "t",
    bytes: 1,
    status,
    order,
    attempt: order === 0 ? 0 : 1,
    attemptsBefore: 0,
    lease: 0,
    waitMs: 0,
    acceptedAt: 0,
    sentAt: 0,
    settledAt: 0,
    expiresAt: 0,
    error: null,
  },
});

test("P12 a message that is heard of after later ones, since its acceptance was replaced, stands before them", () => {
  const ledger = new Ledger();
  ledger.put("second", record(22, 0));
  ledger.put("first", record(23, 21, "in-flight"));
  expect(ledger.headOf("d")).toBe("first");
  expect(ledger.positionOf("second")).toBe(2);
  ledger.put("third", record(24, 0));
  expect(ledger.positionOf("third")).toBe(3);
});

test("P12 one that was accepted anew goes to the end, also where nobody heard that it had failed", () => {
  const ledger = new Ledger();
  ledger.put("a", record(1, 0));
  ledger.put("b", record(2, 0));
  ledger.put("a", record(5, 0)); // in between it was sent, and given up
  expect(ledger.headOf("d")).toBe("b");
  ledger.put("b", record(6, 2, "delivered"));
  ledger.put("a", record(7, 5, "in-flight"));
  expect(ledger.headOf("d")).toBe("a");
});

test("P12 the lane is in the order of acceptance, whatever is heard of, and when", () => {
  const heard = fc.array(
    fc.tuple(fc.nat(5), fc.constantFrom<MessageStatus>("waiting", "in-flight", "delivered", "failed")),
    {
      minLength: 1,
      maxLength: 30,
    },
  );
  fc.assert(
    fc.property(heard, fc.infiniteStream(fc.boolean()), (changes, lost) => {
      const ledger = new Ledger();
      const all = new Map<string, MessageRecord>();
      const told = new Map<string, MessageRecord>();
      changes.forEach(([n, status], index) => {
        const id = `m${n}`;
        const known = all.get(id);
        const isAnew = status === "waiting";
        const place = known ? known.state.order || known.sequence : index + 1;
        const now = record(index + 1, isAnew || !known ? 0 : place, known ? status : "waiting");
        all.set(id, now);
        // What is not told now is told with the next record of the message, or at the end.
        if (lost.next().value === true) return;
        told.set(id, now);
        ledger.put(id, now);
      });
      for (const [id, now] of all) if (told.get(id) !== now) ledger.put(id, now);
      const open = [...all]
        .filter(([, { state }]) => state.status === "waiting" || state.status === "in-flight")
        .sort(([, a], [, b]) => (a.state.order || a.sequence) - (b.state.order || b.sequence));
      expect(open.map(([id]) => ledger.positionOf(id))).toEqual(open.map((_, index) => index + 1));
    }),
  );
});
