/**
 * A small window on the wire for a page under development: which frames came, at which positions, why whole snapshots came
 * again. It brings its own looks, without a style sheet, so that it fits into any page and any content policy.
 */
import { type CSSProperties, useState, useSyncExternalStore } from "react";
import type { FrameLog, FrameLogState, LoggedFrame } from "./frame-log.ts";

export interface LivePanelProps {
  readonly log: FrameLog;
  /** `corner` floats over the page behind a button; `inline` stands where it is put. @defaultValue corner */
  readonly placement?: "corner" | "inline" | undefined;
  /** @defaultValue false; `inline` is always open */
  readonly initiallyOpen?: boolean | undefined;
}

export function LivePanel({ log, placement = "corner", initiallyOpen = false }: LivePanelProps) {
  const state = useSyncExternalStore(log.subscribe, log.getState, log.getState);
  const [open, setOpen] = useState(initiallyOpen);
  if (placement === "inline") return <Frames log={log} state={state} style={styles.inline} />;
  return (
    <div style={styles.corner}>
      {open ? <Frames log={log} state={state} style={styles.floating} /> : null}
      <button type="button" style={styles.toggle} aria-expanded={open} onClick={() => setOpen(!open)}>
        Snapwire: {totalOf(state)} frames{state.resyncs.length > 0 ? `, ${state.resyncs.length} resyncs` : ""}
      </button>
    </div>
  );
}

function Frames({
  log,
  state,
  style,
}: {
  readonly log: FrameLog;
  readonly state: FrameLogState;
  readonly style: CSSProperties;
}) {
  const [only, setOnly] = useState<string>();
  const frames = only === undefined ? state.frames : state.frames.filter(({ type }) => type === only);
  return (
    <section style={{ ...styles.panel, ...style }} aria-label="Frames of Snapwire">
      <div style={styles.head}>
        {Object.entries(state.counts).map(([type, count]) => (
          <button
            key={type}
            type="button"
            style={type === only ? styles.chosen : styles.chip}
            aria-pressed={type === only}
            onClick={() => setOnly(type === only ? undefined : type)}
          >
            {type} {count}
          </button>
        ))}
        <button type="button" style={styles.chip} onClick={() => log.clear()}>
          clear
        </button>
      </div>
      {state.resyncs[0] ? (
        <p style={styles.resync}>
          Last resync: {state.resyncs[0].words} ({state.resyncs[0].projectId}, {timeOf(state.resyncs[0])})
        </p>
      ) : null}
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard */}
      <div style={styles.scroll} tabIndex={0}>
        {frames.length === 0 ? <p style={styles.none}>No frame yet.</p> : null}
        <ol style={styles.list}>
          {frames.map((frame) => (
            <li key={frame.number} style={styles.row}>
              <span style={styles.faint}>{timeOf(frame)}</span>
              <span style={COLOURS[frame.type] ?? styles.plain}>{frame.type}</span>
              <span style={styles.words}>
                {frame.projectId} {frame.words}
              </span>
              <span style={styles.faint}>{frame.position ?? ""}</span>
            </li>
          ))}
        </ol>
      </div>
    </section>
  );
}

function totalOf({ counts }: FrameLogState): number {
  return Object.values(counts).reduce((sum, count) => sum + count, 0);
}

function timeOf({ at }: LoggedFrame): string {
  const time = new Date(at);
  const two = (value: number): string => String(value).padStart(2, "0");
  const ms = String(time.getMilliseconds()).padStart(3, "0");
  return `${two(time.getHours())}:${two(time.getMinutes())}:${two(time.getSeconds())}.${ms}`;
}

const MONO = "ui-monospace, Menlo, Consolas, monospace";
const chip: CSSProperties = {
  padding: "0.1rem 0.5rem",
  border: "1px solid #4a4d46",
  borderRadius: "99rem",
  background: "transparent",
  color: "#d7d5cd",
  font: `0.72rem/1.5 ${MONO}`,
  cursor: "pointer",
};

const styles = {
  corner: { position: "fixed", right: "0.8rem", bottom: "0.8rem", zIndex: 2147483000, textAlign: "right" },
  floating: {
    width: "min(46rem, calc(100vw - 1.6rem))",
    height: "min(24rem, 60vh)",
    marginBottom: "0.5rem",
    boxShadow: "0 8px 28px rgb(0 0 0 / 40%)",
  },
  inline: { height: "22rem" },
  toggle: {
    padding: "0.3rem 0.8rem",
    border: 0,
    borderRadius: "99rem",
    background: "#1f5647",
    color: "#ffffff",
    font: `0.75rem/1.6 ${MONO}`,
    cursor: "pointer",
  },
  panel: {
    display: "flex",
    flexDirection: "column",
    overflow: "hidden",
    borderRadius: "0.6rem",
    background: "#191a18",
    color: "#eceae4",
    font: `0.75rem/1.55 ${MONO}`,
    textAlign: "left",
  },
  head: { display: "flex", flexWrap: "wrap", gap: "0.35rem", padding: "0.6rem 0.7rem" },
  chip,
  chosen: { ...chip, borderColor: "#82cdb4", color: "#82cdb4" },
  resync: { margin: 0, padding: "0 0.7rem 0.5rem", color: "#f5cc78" },
  scroll: { flex: 1, minHeight: 0, overflow: "auto", padding: "0 0.7rem 0.7rem" },
  none: { margin: 0, color: "#a9a79f" },
  list: { margin: 0, padding: 0, listStyle: "none" },
  row: {
    display: "grid",
    gridTemplateColumns: "6.4rem 9.5rem minmax(8rem, 1fr) max-content",
    gap: "0.7rem",
    whiteSpace: "nowrap",
  },
  words: { overflow: "hidden", textOverflow: "ellipsis" },
  faint: { color: "#a9a79f" },
  plain: { color: "#eceae4" },
} satisfies Record<string, CSSProperties>;

const COLOURS: Readonly<Record<string, CSSProperties>> = {
  snapshot_full: { color: "#94b9f3" },
  snapshot_resumed: { color: "#82cdb4" },
  snapshot_changed: { color: "#eceae4" },
  snapshot_removed: { color: "#f1948b" },
  snapshot_status: { color: "#f5cc78" },
  "connection lost": { color: "#f5cc78" },
  error: { color: "#f1948b" },
};
