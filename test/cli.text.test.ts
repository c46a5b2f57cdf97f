import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { nearest } from "../src/cli/nearest.ts";
import { jsonLine, safeText } from "../src/cli/safe-text.ts";
import { createSignals, SAME_PRESS_MS } from "../src/cli/signals.ts";
import { cut, pad, widthOf } from "../src/cli/text-width.ts";

/** What a terminal would obey, or show as something else than it is. */
const OBEYED = /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/;
const hostile = fc.constantFrom(
  "\x1b",
  "\x07",
  "\x9b",
  "\u202e",
  "\u2028",
  "\u{e0041}",
  "\ud800",
  "[2J",
  "a",
);
const anyText = fc.oneof(
  fc.string({ unit: "binary" }),
  fc.array(hostile).map((parts) => parts.join("")),
);

describe("safeText", () => {
  test.each([
    ["feature/login", "feature/login"],
    ["\x1b[2J", "\\x1b[2J"],
    ["a\nb\tc\r", "a\\x0ab\\x09c\\x0d"],
    ["\x9b31m", "\\x9b31m"],
    ["\u202egnp.exe", "\\u202egnp.exe"],
    ["\u{e0041}", "\\u{e0041}"],
    ["日本語 é 🎉", "日本語 é 🎉"],
    ["\ud800", "\\ud800"],
  ])("of %j is %j", (text, shown) => {
    expect(safeText(text)).toBe(shown);
  });

  test("never lets through what a terminal obeys, whatever the text", () => {
    fc.assert(fc.property(anyText, (text) => !OBEYED.test(safeText(text))));
  });
});

describe("jsonLine", () => {
  test("is one line, safe to look at, and means the same, whatever the value", () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.jsonValue({ stringUnit: "binary" }), fc.dictionary(anyText, anyText)),
        (value) => {
          const line = jsonLine(value);
          expect(line).not.toMatch(OBEYED);
          expect(JSON.parse(line)).toEqual(JSON.parse(JSON.stringify(value)));
        },
      ),
    );
  });
});

describe("the width of a text on a terminal", () => {
  test.each([
    ["abc", 3],
    ["日本", 4],
    ["한글", 4],
    ["e\u0301", 1],
    ["🎉", 2],
    ["👩‍👩‍👧", 2],
    ["❤️", 2],
    ["ｆｕｌｌ", 8],
    ["", 0],
  ])("%j takes %d cells", (text, width) => {
    expect(widthOf(text)).toBe(width);
  });

  test.each([
    ["abcdef", 4, "abc…"],
    ["abcd", 4, "abcd"],
    ["日本語", 4, "日…"],
    ["日本語", 5, "日本…"],
    ["abc", 0, ""],
    ["abc", 1, "…"],
  ])("%j cut to %d cells is %j", (text, width, shown) => {
    expect(cut(text, width)).toBe(shown);
  });

  test("a padded text has exactly the width, wherever the cut falls", () => {
    fc.assert(
      fc.property(
        fc.string({ unit: "grapheme" }).map(safeText),
        fc.integer({ min: 1, max: 40 }),
        (text, width) => {
          expect(widthOf(pad(text, width))).toBe(width);
        },
      ),
    );
  });
});

describe("the nearest name", () => {
  const names = ["serve", "watch", "publish", "doctor"];
  test.each([
    ["serv", "serve"],
    ["wtach", "watch"],
    ["Watch", "watch"],
    ["publihs", "publish"],
    ["docter", "doctor"],
    ["frobnicate", undefined],
    ["", undefined],
    ["x".repeat(1_000), undefined],
  ])("to %j is %j", (word, name) => {
    expect(nearest(word, names)).toBe(name);
  });
});

describe("signals", () => {
  function received(...signals: [name: string, at: number][]) {
    let time = 0;
    const ended: string[] = [];
    const { signal, receive } = createSignals({ endNow: (name) => ended.push(name), now: () => time });
    for (const [name, at] of signals) {
      time = at;
      receive(name);
    }
    return { ended, reason: signal.aborted ? signal.reason : undefined };
  }

  test("the first one asks for an end", () => {
    expect(received(["SIGTERM", 0])).toEqual({ ended: [], reason: "SIGTERM" });
  });

  test("the second one ends at once", () => {
    expect(received(["SIGINT", 0], ["SIGINT", SAME_PRESS_MS])).toEqual({
      ended: ["SIGINT"],
      reason: "SIGINT",
    });
  });

  test("one press that comes three times, by the terminal, npm and our own start script, is one", () => {
    expect(received(["SIGINT", 0], ["SIGINT", 2], ["SIGINT", 9])).toEqual({ ended: [], reason: "SIGINT" });
  });

  test("another signal is another wish, however soon it comes", () => {
    expect(received(["SIGINT", 0], ["SIGTERM", 1])).toEqual({ ended: ["SIGTERM"], reason: "SIGINT" });
  });
});
