/**
 * A page of a terminal that is drawn again and again: on the alternate screen, so that what was there before comes back;
 * the last page stays behind as ordinary lines.
 */
import { type CliOutput, say } from "./io.ts";

const ENTER = "\x1b[?1049h\x1b[?25l\x1b[2J";
const LEAVE = "\x1b[?25h\x1b[?1049l";
const HOME = "\x1b[H";
const CLEAR_LINE = "\x1b[2K";
const CLEAR_BELOW = "\x1b[J";

/** A burst of changes is one drawing, in milliseconds. */
const DRAW_AFTER_MS = 50;
/** Ages grow by themselves, in milliseconds. */
const AGE_MS = 1_000;

export interface Screen {
  /** Soon. */
  refresh(): void;
  /** Gives the terminal back; the last page stays. */
  leave(): void;
}

export interface Page {
  /** Cells. */
  readonly columns: number;
  /** Lines; no bound for the page that stays. */
  readonly rows: number | undefined;
  /** The page that stays: nothing of it will be true for long. */
  readonly last: boolean;
}

export function openScreen(stdout: CliOutput, render: (page: Page) => readonly string[]): Screen {
  let timer: NodeJS.Timeout | undefined;
  let shown = "";
  const columns = (): number => stdout.columns || 80;
  const draw = (): void => {
    clearTimeout(timer);
    timer = undefined;
    // Cleared before it is written: behind a line that fills the window, clearing would take its last character.
    const page = render({ columns: columns(), rows: stdout.rows || 24, last: false })
      .map((line, index, { length }) => (index === length - 1 ? CLEAR_BELOW : CLEAR_LINE) + line)
      .join("\n");
    if (page === shown) return;
    shown = page;
    stdout.write(HOME + page);
  };
  const refresh = (): void => {
    timer ??= setTimeout(draw, DRAW_AFTER_MS);
  };
  const resized = (): void => {
    shown = ""; // the terminal has moved what was there
    refresh();
  };
  const ages = setInterval(refresh, AGE_MS);
  stdout.on("resize", resized);
  stdout.write(ENTER);
  refresh();
  return {
    refresh,
    leave() {
      clearTimeout(timer);
      clearInterval(ages);
      stdout.off("resize", resized);
      stdout.write(LEAVE);
      for (const line of render({ columns: columns(), rows: undefined, last: true })) say(stdout, line);
    },
  };
}
