/** What changes between two texts, line by line, for a person to look at. */
const CONTEXT = 2;
/** More lines than this between the first and the last change are shown as a whole. */
const MAX_COMPARED = 2_000;

interface Line {
  readonly mark: " " | "-" | "+";
  readonly text: string;
}

/** Changed lines with `+` and `-`, some around them, and `...` for what is left out. */
export function lineDiff(before: string, after: string): string[] {
  const all = compared(linesOf(before), linesOf(after));
  const shown = new Set<number>();
  all.forEach(({ mark }, index) => {
    if (mark !== " ") for (let near = index - CONTEXT; near <= index + CONTEXT; near += 1) shown.add(near);
  });
  const lines: string[] = [];
  let skipped = false;
  all.forEach(({ mark, text }, index) => {
    if (!shown.has(index)) {
      skipped = true;
      return;
    }
    if (skipped) lines.push("  ...");
    skipped = false;
    lines.push(`${mark} ${text}`);
  });
  if (skipped && lines.length > 0) lines.push("  ...");
  return lines;
}

function linesOf(text: string): string[] {
  if (text === "") return [];
  return text.replace(/\r?\n$/, "").split(/\r?\n/);
}

function compared(before: readonly string[], after: readonly string[]): Line[] {
  let head = 0;
  while (head < before.length && head < after.length && before[head] === after[head]) head += 1;
  let tail = 0;
  while (
    tail < Math.min(before.length, after.length) - head &&
    before[before.length - 1 - tail] === after[after.length - 1 - tail]
  )
    tail += 1;
  const same = (text: string): Line => ({ mark: " ", text });
  const [old, young] = [before.slice(head, before.length - tail), after.slice(head, after.length - tail)];
  return [
    ...before.slice(0, head).map(same),
    ...middle(old, young),
    ...before.slice(before.length - tail).map(same),
  ];
}

/** Over the longest common subsequence. */
function middle(old: readonly string[], young: readonly string[]): Line[] {
  if (old.length > MAX_COMPARED || young.length > MAX_COMPARED)
    return [
      ...old.map((text): Line => ({ mark: "-", text })),
      ...young.map((text): Line => ({ mark: "+", text })),
    ];
  const width = young.length + 1;
  const longest = new Uint32Array((old.length + 1) * width);
  const at = (row: number, column: number): number => longest[row * width + column] ?? 0;
  for (let row = old.length - 1; row >= 0; row -= 1)
    for (let column = young.length - 1; column >= 0; column -= 1)
      longest[row * width + column] =
        old[row] === young[column]
          ? at(row + 1, column + 1) + 1
          : Math.max(at(row + 1, column), at(row, column + 1));
  const lines: Line[] = [];
  let [row, column] = [0, 0];
  while (row < old.length || column < young.length) {
    const [was, is] = [old[row], young[column]];
    if (was !== undefined && was === is) {
      lines.push({ mark: " ", text: was });
      row += 1;
      column += 1;
    } else if (is === undefined || (was !== undefined && at(row + 1, column) >= at(row, column + 1))) {
      lines.push({ mark: "-", text: was ?? "" });
      row += 1;
    } else {
      lines.push({ mark: "+", text: is });
      column += 1;
    }
  }
  return lines;
}
