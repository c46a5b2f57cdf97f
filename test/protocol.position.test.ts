/** Positions: what is written is read, and nothing else is. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  formatPosition,
  POSITION_TAG_LENGTH,
  type PositionKind,
  parsePosition,
} from "../src/protocol/position.ts";

const TAG = "aZ09_-aZ09_-";
const tag = fc.stringMatching(/^[A-Za-z0-9_-]{12}$/);
const sequence = fc.oneof(
  fc.nat(),
  fc.maxSafeNat(),
  fc.constantFrom(0, 1, 9, 10, 2 ** 31, 2 ** 32, 2 ** 53 - 1),
);
const KINDS = ["f", "r", "g", "e", "p", "s"] as const;
const kind: fc.Arbitrary<PositionKind | undefined> = fc.constantFrom(...KINDS, undefined);

describe("R6 a position", () => {
  test("R6 that was written is read as what it was", () => {
    fc.assert(
      fc.property(tag, sequence, kind, (tag, sequence, kind) => {
        const text = formatPosition(tag, sequence, kind);
        expect(parsePosition(text)).toEqual(kind === undefined ? { tag, sequence } : { tag, sequence, kind });
      }),
    );
  });

  test("R6 that can be read is the only text for what it says", () => {
    const nearly = fc
      .tuple(
        fc.oneof(tag, fc.string({ maxLength: 14 })),
        fc.constantFrom(".", "", "..", ",", " ."),
        fc.oneof(sequence.map(String), fc.string({ maxLength: 17 }), fc.stringMatching(/^[0-9]{1,18}$/)),
        fc.constantFrom("", ".", ".f", ".x", ".ff", ". ", "\n"),
      )
      .map((parts) => parts.join(""));
    fc.assert(
      fc.property(fc.oneof(nearly, fc.string({ unit: "binary" })), (text) => {
        const position = parsePosition(text);
        if (position) expect(formatPosition(position.tag, position.sequence, position.kind)).toBe(text);
      }),
      { numRuns: 1_000 },
    );
  });

  test("R6 of any other kind of value is none, and nothing throws", () => {
    fc.assert(
      fc.property(fc.anything(), (value) => {
        const position = parsePosition(value);
        if (position) expect(typeof value).toBe("string");
      }),
    );
    const hostile = { toString: () => `${TAG}.1`, [Symbol.toPrimitive]: () => `${TAG}.1` };
    for (const value of [hostile, [`${TAG}.1`], new String(`${TAG}.1`), Symbol("x"), 1n])
      expect(parsePosition(value)).toBeUndefined();
  });

  test("R6 reaches to 2^53 - 1 and no further", () => {
    expect(parsePosition(`${TAG}.9007199254740991`)).toEqual({ tag: TAG, sequence: 2 ** 53 - 1 });
    for (const digits of [
      "9007199254740992",
      "9007199254740993",
      "9999999999999999",
      "10000000000000000",
      "9".repeat(400),
    ])
      expect(parsePosition(`${TAG}.${digits}`)).toBeUndefined();
  });

  test.each([
    "",
    ".",
    TAG,
    `${TAG}.`,
    `${TAG}.00`,
    `${TAG}.01`,
    `${TAG}.+1`,
    `${TAG}.-1`,
    `${TAG}.1.0`,
    `${TAG}.1e3`,
    `${TAG}.0x1`,
    `${TAG}.1.`,
    `${TAG}.1.a`,
    `${TAG}.1.F`,
    `${TAG}.1.ff`,
    `${TAG}.1.f.f`,
    `${TAG}.1 `,
    ` ${TAG}.1`,
    `${TAG}.1\n`,
    `${TAG}\n.1`,
    `${TAG}.\u0661`, // an Arabic digit one
    `${TAG}.１`, // a full-width digit one
    `${TAG.slice(1)}.1`,
    `${TAG}a.1`,
    `${TAG.slice(1)}é.1`,
    `${TAG.slice(1)}+.1`,
    `${TAG.slice(1)}/.1`,
  ])("R6 %j is none", (text) => {
    expect(parsePosition(text)).toBeUndefined();
  });

  test("R12 of a gap is kept apart from the delta at the same sequence, and is the same place", () => {
    expect(formatPosition(TAG, 7, "g")).not.toBe(formatPosition(TAG, 7));
    expect(parsePosition(formatPosition(TAG, 7, "g"))).toMatchObject({ tag: TAG, sequence: 7 });
  });

  test("R6 is ASCII, so that it travels in a header, a URL and an event id as it is", () => {
    fc.assert(
      fc.property(tag, sequence, kind, (tag, sequence, kind) => {
        const text = formatPosition(tag, sequence, kind);
        expect(encodeURIComponent(text)).toBe(text);
        expect(text.length).toBeLessThanOrEqual(POSITION_TAG_LENGTH + 1 + 16 + 2);
      }),
    );
  });
});
