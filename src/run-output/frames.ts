/** What a subscriber of a script's output is told, from where it stands. */
import { formatPosition, type Position } from "../protocol/position.ts";
import type { RunOutputFrame } from "../protocol/run-output.ts";
import type { ScriptOutput } from "./script-output.ts";

/** Longest text of one frame, in UTF-16 units: a slow subscriber holds no more than this twice. */
const MOST = 16 * 1024;

/** Where a subscriber stands: in which run, and up to where it has everything. Undefined: nothing was told yet. */
export interface OutputCursor {
  readonly tag: string;
  readonly at: number;
}

export interface OutputTold {
  readonly id: string;
  readonly frame: RunOutputFrame;
  readonly cursor: OutputCursor;
}

/** Stands for a script that has printed nothing yet. */
export const NO_RUN_TAG = "no-run-yet--";

/** @returns undefined while there is nothing new. */
export function nextFrame(
  script: ScriptOutput | undefined,
  cursor: OutputCursor | undefined,
  asked: { readonly workspaceId: string; readonly name: string },
  first: "first" | "invalid" = "first",
): OutputTold | undefined {
  const tag = script?.tag ?? NO_RUN_TAG;
  const [start, end] = [script?.start ?? 0, script?.end ?? 0];
  const tail = (reason: Extract<RunOutputFrame, { type: "output_tail" }>["reason"]): OutputTold => {
    const text = script?.slice(start, Number.POSITIVE_INFINITY) ?? "";
    const frame = {
      type: "output_tail",
      ...asked,
      run: script?.run ?? null,
      reason,
      text,
      cut: start > 0,
    } as const;
    return { id: formatPosition(tag, end, "f"), frame, cursor: { tag, at: end } };
  };
  if (!cursor) return tail(first);
  if (cursor.tag !== tag) return tail("new-run");
  if (cursor.at > end) return tail("invalid");
  if (cursor.at < start) return tail("trimmed");
  if (!script || cursor.at === end) return undefined;
  const text = script.slice(cursor.at, MOST);
  const at = cursor.at + text.length;
  return { id: formatPosition(tag, at), frame: { type: "output", text }, cursor: { tag, at } };
}

export function cursorOf(position: Position): OutputCursor {
  return { tag: position.tag, at: position.sequence };
}
