/** The table of `snapwire watch`: what is known, and how fresh it is. Pure: snapshots in, lines out. */
import type { ConnectionState, ProjectSnapshot } from "../../client/index.ts";
import type { SidebarCIState, StatusTone, WorkspaceEntry } from "../protocol/workspace.ts";
import { safeText } from "./safe-text.ts";
import { cut, pad, widthOf } from "./text-width.ts";

export interface ShownProject {
  readonly snapshot: ProjectSnapshot<WorkspaceEntry>;
  /** RFC 3339. */
  readonly staleSince: string | undefined;
}

export interface TableInput {
  readonly url: string;
  readonly projects: readonly ShownProject[];
  /** The server has said which projects there are. */
  readonly listed: boolean;
  readonly connection: ConnectionState;
  /** When the server was last heard, in milliseconds since 1970. */
  readonly lastHeard: number | undefined;
  /** Milliseconds since 1970. */
  readonly now: number;
  /** Cells. */
  readonly columns: number;
  /** Lines; what does not fit is counted. @defaultValue no bound */
  readonly rows?: number | undefined;
  readonly color: boolean;
  /** Said where there is no workspace to show. */
  readonly hint?: string | undefined;
  /** It stays on the terminal when nobody watches any more. @defaultValue false */
  readonly last?: boolean;
}

const HEADINGS = ["PROJECT", "WORKSPACE", "BRANCH", "STATUS", "+/-", "U", "CI", "AGE"] as const;
/** Columns whose text may be cut, and the least that is left of them. */
const NARROWEST: readonly (number | undefined)[] = [6, 8, 8, 8];
const GAP = 2;

interface Row {
  readonly cells: readonly string[];
  readonly tone: StatusTone;
}

export function renderTable(input: TableInput): string[] {
  const { projects, columns, rows, color } = input;
  const paint = color ? painted : plain;
  const top = statusLines(input).map(({ text, style }) => paint(style, cut(text, columns)));
  const body = projects.flatMap(({ snapshot }) => rowsOf(snapshot, input.now));
  if (body.length === 0) {
    const said = emptyLine(input);
    return (said === "" ? top : [...top, "", cut(said, columns)]).slice(0, rows);
  }
  const widths = fitWidths(body, columns);
  const lineOf = (cells: readonly string[]): string =>
    cut(cells.map((cell, index) => pad(cell, widths[index] ?? 0)).join(" ".repeat(GAP)), columns).trimEnd();
  const head = [...top, "", paint("dim", lineOf(HEADINGS))];
  const room = rows === undefined ? body.length : Math.max(1, rows - head.length);
  const shown = body.length > room ? body.slice(0, Math.max(0, room - 1)) : body;
  const left = body.length - shown.length;
  return [
    ...head,
    ...shown.map(({ cells, tone }) => paint(STYLE_OF_TONE[tone], lineOf(cells))),
    ...(left > 0 ? [paint("dim", cut(`and ${left} more; the window is too low`, columns))] : []),
  ].slice(0, rows);
}

interface StatusLine {
  readonly text: string;
  readonly style: Style;
}

/** One line for all, and one for each project of which something else is to be said. */
function statusLines({ url, projects, connection, lastHeard, now, last }: TableInput): StatusLine[] {
  const was = (word: string): string => (last ? `was ${word} at ${new Date(now).toISOString()}` : word);
  const count = projects.reduce((sum, { snapshot }) => sum + snapshot.entries.length, 0);
  const counted = `${plural(count, "workspace")} in ${plural(projects.length, "project")}`;
  const place = safeText(url);
  if (connection.status !== "open") {
    const heard = lastHeard === undefined ? "" : `, last heard ${ageOf(now - lastHeard)} ago`;
    const why = connection.detail === undefined ? "" : ` (${safeText(connection.detail)})`;
    return [{ text: `${was(connection.status)}${why}${heard}   ${place}   ${counted}`, style: "bad" }];
  }
  const others = projects.filter(({ snapshot }) => snapshot.status !== "live");
  const all = others.length === 0 ? "live" : others.length === projects.length ? "not live" : "partly live";
  return [
    { text: `${was(all)}   ${place}   ${counted}`, style: others.length === 0 ? "good" : "bad" },
    ...others.map((project): StatusLine => ({ text: standingOf(project), style: "bad" })),
  ];
}

function standingOf({ snapshot: { projectId, status, reason, detail }, staleSince }: ShownProject): string {
  const since = status === "stale" && staleSince !== undefined ? ` since ${safeText(staleSince)}` : "";
  const why = detail ?? reason;
  return `${safeText(projectId)}: ${status}${since}${why === undefined ? "" : ` (${safeText(why)})`}`;
}

function emptyLine({ projects, listed, connection, hint }: TableInput): string {
  if (connection.status !== "open" && projects.length === 0) return "";
  if (!listed) return "Asking which projects there are ...";
  if (projects.length === 0) return "No projects.";
  const loaded = projects.every(({ snapshot }) => snapshot.position !== undefined && snapshot.complete);
  return loaded ? (hint ?? "No workspaces.") : "Nothing has been read yet ...";
}

/** Entries as they came: a host's own model may have other fields, and then a cell says so. */
type AnyEntry = Pick<WorkspaceEntry, "workspaceId"> & Partial<WorkspaceEntry>;

function rowsOf({ projectId, entries }: ProjectSnapshot<WorkspaceEntry>, now: number): Row[] {
  const named = (entries as readonly AnyEntry[]).map((entry) => ({
    name: entry.name || entry.workspaceId,
    entry,
  }));
  named.sort((a, b) => a.name.localeCompare(b.name) || (a.entry.workspaceId < b.entry.workspaceId ? -1 : 1));
  return named.map(({ name, entry }) => {
    const { gitStats, statusReason, sidebarStatus, branchName, lastActivityAt, createdAt } = entry;
    const active = Date.parse(lastActivityAt || createdAt || "");
    return {
      tone: statusReason?.tone ?? "neutral",
      cells: [
        projectId,
        name,
        branchName ?? "-",
        statusReason?.label ?? "-",
        gitStats ? `+${gitStats.additions} -${gitStats.deletions}` : "-",
        gitStats?.hasUncommitted ? "*" : "",
        CI_WORDS[sidebarStatus?.ciState ?? "NONE"] ?? "-",
        Number.isNaN(active) ? "-" : ageOf(now - active),
      ].map((cell) => safeText(String(cell))),
    };
  });
}

const CI_WORDS: Readonly<Record<SidebarCIState, string>> = {
  NONE: "-",
  UNKNOWN: "unknown",
  RUNNING: "running",
  FAILING: "failing",
  PASSING: "passing",
  CLOSED: "closed",
  MERGED: "merged",
  CONFLICT: "conflict",
};

/** As wide as the widest; where that is too wide, the widest of those that may be cut give way first. */
function fitWidths(rows: readonly Row[], columns: number): number[] {
  const widths = HEADINGS.map((heading, index) =>
    Math.max(heading.length, ...rows.map(({ cells }) => widthOf(cells[index] ?? ""))),
  );
  let surplus = widths.reduce((sum, width) => sum + width, 0) + GAP * (widths.length - 1) - columns;
  while (surplus > 0) {
    let widest = -1;
    for (const [index, least] of NARROWEST.entries()) {
      const width = widths[index] ?? 0;
      if (least !== undefined && width > least && width > (widths[widest] ?? 0)) widest = index;
    }
    if (widest < 0) break; // the window is too narrow for all of them: lines are cut at its edge
    widths[widest] = (widths[widest] ?? 0) - 1;
    surplus -= 1;
  }
  return widths;
}

const UNITS: readonly (readonly [ms: number, name: string])[] = [
  [86_400_000, "d"],
  [3_600_000, "h"],
  [60_000, "m"],
  [1_000, "s"],
];

/** Two clocks may differ: what lies ahead is now. */
export function ageOf(ms: number): string {
  const [unit, name] = UNITS.find(([length]) => ms >= length) ?? [1_000, "s"];
  return `${Math.max(0, Math.floor(ms / unit))}${name}`;
}

function plural(count: number, name: string): string {
  return `${count} ${name}${count === 1 ? "" : "s"}`;
}

type Style = "none" | "dim" | "good" | "bad" | "busy" | "attention";

const STYLE_OF_TONE: Readonly<Record<StatusTone, Style>> = {
  neutral: "none",
  working: "busy",
  waiting: "busy",
  attention: "attention",
  success: "good",
  danger: "bad",
};

const SGR: Readonly<Record<Style, string>> = {
  none: "",
  dim: "2",
  good: "32",
  bad: "31",
  busy: "36",
  attention: "33",
};

function plain(_style: Style, text: string): string {
  return text;
}

function painted(style: Style, text: string): string {
  return SGR[style] === "" ? text : `\x1b[${SGR[style]}m${text}\x1b[0m`;
}
