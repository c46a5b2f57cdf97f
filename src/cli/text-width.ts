/** How many cells of a terminal a text takes, and how it is cut to some of them. */

const graphemes = new Intl.Segmenter(undefined, { granularity: "grapheme" });
/** Scripts whose characters take two cells, and what Unicode shows as a picture by itself. */
const WIDE =
  /^(?:\p{Emoji_Presentation}|.\ufe0f|[\u1100-\u115f\u2e80-\u303e\u3041-\u33ff\u3400-\u4dbf\u4e00-\u9fff\ua000-\ua4cf\ua960-\ua97f\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|[\u{16fe0}-\u{18aff}\u{1b000}-\u{1b2ff}\u{20000}-\u{3fffd}])/u;
const NOTHING = /^[\p{Mark}\p{Default_Ignorable_Code_Point}]+$/u;
const PLAIN = /^[\x20-\x7e]*$/;

export function widthOf(text: string): number {
  if (PLAIN.test(text)) return text.length;
  let width = 0;
  for (const { segment } of graphemes.segment(text)) width += widthOfGrapheme(segment);
  return width;
}

/** At most `width` cells; what is cut ends with an ellipsis. Never cuts through a character. */
export function cut(text: string, width: number): string {
  if (widthOf(text) <= width) return text;
  if (width < 1) return "";
  let kept = "";
  let taken = 1; // the ellipsis
  for (const { segment } of graphemes.segment(text)) {
    taken += widthOfGrapheme(segment);
    if (taken > width) break;
    kept += segment;
  }
  return `${kept}…`;
}

/** Exactly `width` cells. */
export function pad(text: string, width: number): string {
  const shown = cut(text, width);
  return shown + " ".repeat(Math.max(0, width - widthOf(shown)));
}

function widthOfGrapheme(segment: string): number {
  if (WIDE.test(segment)) return 2;
  return NOTHING.test(segment) ? 0 : 1;
}
