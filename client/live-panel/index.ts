/**
 * live-panel: the wire, made visible, for a page under development.
 *
 * In:       frames of `snapshots.onProject`, on their way to whatever watches.   Out: a list of them, a small window.
 * Promise:  what passes through is not changed, and at most so many frames are kept.
 * Not here: what a page shows to its users (board, or the host's own components).
 */
export {
  createFrameLog,
  type FrameLog,
  type FrameLogOptions,
  type FrameLogState,
  type LoggedFrame,
} from "./frame-log.ts";
export { LivePanel, type LivePanelProps } from "./live-panel.tsx";
