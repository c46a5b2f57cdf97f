/**
 * When what changed is shown: once per frame, however many changes came. A hidden page has no frames, and nobody looks
 * at it: once a second keeps its title and its caches true.
 */

/** Calls `flush` once, later. Returns the way to take it back. */
export type Schedule = (flush: () => void) => () => void;

/** The part of a browser's global object that is used; every part may be missing. */
export interface FrameGlobals {
  readonly document?: { readonly visibilityState: string } | undefined;
  requestAnimationFrame?(callback: () => void): number;
  cancelAnimationFrame?(handle: number): void;
}

/** A runtime without frames, in milliseconds: as often as a usual screen. */
const NO_FRAME_MS = 16;
/** A hidden page, in milliseconds. */
const HIDDEN_MS = 1_000;
/** The page may be hidden while a frame is awaited, which then never comes: this late it is not awaited any more. */
const FRAME_LOST_MS = 250;

export function pageFrames(page: FrameGlobals = globalThis as unknown as FrameGlobals): Schedule {
  return (flush) => {
    const hidden = page.document?.visibilityState === "hidden";
    if (hidden || !page.requestAnimationFrame) return after(hidden ? HIDDEN_MS : NO_FRAME_MS, flush);
    const cancel = (): void => {
      page.cancelAnimationFrame?.(frame);
      cancelTimer();
    };
    const frame = page.requestAnimationFrame(() => {
      cancelTimer();
      flush();
    });
    const cancelTimer = after(FRAME_LOST_MS, () => {
      page.cancelAnimationFrame?.(frame);
      flush();
    });
    return cancel;
  };
}

function after(delayMs: number, flush: () => void): () => void {
  const timer = setTimeout(flush, delayMs);
  return () => clearTimeout(timer);
}
