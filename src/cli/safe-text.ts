/**
 * Text that came from elsewhere (a branch, a folder, an error of a server), made fit for a terminal. A name may hold an
 * escape sequence that moves the cursor, sets the title or answers for the keyboard; one that turns the direction of
 * writing makes a line say something else.
 */

/** C0 and C1 controls, DEL, line separators, marks that turn the direction of writing, the tag block, lone surrogates. */
const UNSAFE =
  /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]|[\u{e0000}-\u{e007f}]|\p{Surrogate}/gu;

/** Shows what is unsafe as `\x1b` or `\u202e`, on one line. */
export function safeText(text: string): string {
  return text.replace(UNSAFE, escapeOf);
}

/** As {@link safeText}, for a text of ours that has several lines. */
export function safeLines(text: string): string {
  return text.split("\n").map(safeText).join("\n");
}

/** One line of JSON that is safe to look at: what JSON leaves as it is, and a terminal would obey, is written `\u009b`. */
export function jsonLine(value: unknown): string {
  return JSON.stringify(value).replace(UNSAFE, (character) =>
    Array.from(
      { length: character.length },
      (_, index) => `\\u${character.charCodeAt(index).toString(16).padStart(4, "0")}`,
    ).join(""),
  );
}

function escapeOf(character: string): string {
  const code = character.codePointAt(0) ?? 0;
  if (code < 0x100) return `\\x${code.toString(16).padStart(2, "0")}`;
  return code < 0x10000 ? `\\u${code.toString(16).padStart(4, "0")}` : `\\u{${code.toString(16)}}`;
}
