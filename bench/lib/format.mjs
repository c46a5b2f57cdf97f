/** Numbers for people, and tables for terminals and Markdown. */
export function count(value) {
  if (!Number.isFinite(value)) return "-";
  if (value >= 1e6) return `${(value / 1e6).toFixed(2)} M`;
  if (value >= 1e4) return `${(value / 1e3).toFixed(0)} k`;
  if (value >= 1e3) return `${(value / 1e3).toFixed(1)} k`;
  return value >= 100 || Number.isInteger(value) ? value.toFixed(0) : value.toFixed(1);
}

export function milliseconds(us) {
  if (!Number.isFinite(us)) return "-";
  return us >= 100_000 ? `${(us / 1e3).toFixed(0)} ms` : `${(us / 1e3).toFixed(1)} ms`;
}

export function microseconds(us) {
  return Number.isFinite(us) ? `${us >= 100 ? us.toFixed(0) : us.toFixed(1)} us` : "-";
}

export function bytes(value) {
  if (!Number.isFinite(value)) return "-";
  const size = Math.abs(value);
  if (size >= 1024 ** 2) return `${(value / 1024 ** 2).toFixed(1)} MiB`;
  return size >= 1024 ? `${(value / 1024).toFixed(1)} KiB` : `${value.toFixed(0)} B`;
}

export const percent = (share) => (Number.isFinite(share) ? `${(share * 100).toFixed(0)} %` : "-");
export const times = (ratio) => (Number.isFinite(ratio) ? `${ratio.toFixed(ratio < 10 ? 2 : 1)}x` : "-");

/** Markdown that is readable in a terminal too. A column with a number in it stands to the right, others to the left. */
export function table(head, rows) {
  const cells = rows.map((row) => row.map(String));
  const width = head.map((title, at) => Math.max(title.length, 3, ...cells.map((row) => row[at].length)));
  const right = head.map((_, at) => at > 0 && cells.some((row) => /^[-+]?\d/.test(row[at])));
  const pad = (text, at) => (right[at] ? text.padStart(width[at]) : text.padEnd(width[at]));
  const line = (row) => `| ${row.map(pad).join(" | ")} |`;
  const rule = `|${width.map((size, at) => (right[at] ? `${"-".repeat(size + 1)}:` : "-".repeat(size + 2))).join("|")}|`;
  return [line(head), rule, ...cells.map(line)].join("\n");
}

const BLOCKS = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];

/** A bar on a logarithmic scale from `low` to `high`, `width` characters at the most. */
export function bar(value, low, high, width = 40) {
  const share = Math.max(0, Math.log(value / low) / Math.log(high / low));
  const eighths = Math.round(share * width * 8);
  return "█".repeat(Math.floor(eighths / 8)) + BLOCKS[eighths % 8];
}
