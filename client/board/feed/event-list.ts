/** What happened, as a list: the newest so many, and the places where something may be missing. Pure. */
import { type EventFrame, type HubEvent, readEventFrame } from "../../../src/protocol/envelope.ts";

export interface EventRow {
  readonly kind: "event" | "gap";
  /** Of the event, or of the gap's place. */
  readonly id: string;
  /** `session.update`, `stream:created`; `gap`. */
  readonly type: string;
  readonly at: number;
  readonly projectId: string | undefined;
  readonly workspaceId: string | undefined;
  readonly sessionId: string | undefined;
  /** One line for a person. */
  readonly words: string;
  /** Lower case; what the filter looks through. */
  readonly haystack: string;
}

const EVENTS_MAX = 500;

/** Newest first; what is known already is not taken again. */
export function withEvents(rows: readonly EventRow[], incoming: readonly EventRow[]): readonly EventRow[] {
  const known = new Set(rows.map(({ id }) => id));
  const fresh = incoming.filter(({ id }) => !known.has(id));
  return fresh.length === 0 ? rows : [...fresh.reverse(), ...rows].slice(0, EVENTS_MAX);
}

/** `undefined` for what is no row: the state of the connection is told elsewhere. */
export function rowOf(delivered: unknown): EventRow | undefined {
  const { id, data } = isRecord(delivered) ? delivered : {};
  const frame = readEventFrame(data);
  if (!frame) return undefined;
  if (frame.type === "gap") return gapRow(String(id), frame);
  return isEvent(frame) ? eventRow(frame) : undefined;
}

export function eventRow(event: HubEvent): EventRow {
  const payload = event.payload as unknown as Readonly<Record<string, unknown>>;
  const words = wordsOf(payload);
  const { id, type, projectId, workspaceId, sessionId } = event;
  return {
    kind: "event",
    id,
    type,
    at: Date.parse(event.timestamp),
    projectId,
    workspaceId,
    sessionId,
    words,
    haystack: [type, projectId, workspaceId, sessionId, words].join("\n").toLowerCase(),
  };
}

function gapRow(id: string, frame: Extract<EventFrame, { type: "gap" }>): EventRow {
  const words = frame.payload.certain ? "Some events are missing here." : "Some events may be missing here.";
  return {
    kind: "gap",
    id: `gap-${id}`,
    type: "gap",
    at: Date.parse(frame.timestamp),
    projectId: undefined,
    workspaceId: undefined,
    sessionId: undefined,
    words,
    haystack: words.toLowerCase(),
  };
}

function isEvent(frame: EventFrame): frame is HubEvent {
  return "id" in frame && frame.type !== ("gap" as string);
}

/** Keys that say best what happened, in this order. */
const TELLING = [
  "title",
  "name",
  "summary",
  "message",
  "text",
  "subject",
  "status",
  "phase",
  "to",
  "reason",
  "path",
];
/** Ids say where, and where is told already. */
const SILENT = /(^|[a-z])id$|Ids?$/i;
const WORDS_MAX = 160;

function wordsOf(payload: Readonly<Record<string, unknown>>): string {
  const plain = Object.entries(payload).filter(
    ([key, value]) => !SILENT.test(key) && ["string", "number", "boolean"].includes(typeof value),
  );
  const rank = (key: string): number => {
    const index = TELLING.indexOf(key);
    return index < 0 ? TELLING.length : index;
  };
  const words = plain
    .sort(([a], [b]) => rank(a) - rank(b))
    .slice(0, 4)
    .map(([key, value]) => (rank(key) < 6 ? String(value) : `${key} ${String(value)}`))
    .join(" · ");
  return words.length > WORDS_MAX ? `${words.slice(0, WORDS_MAX - 1)}…` : words;
}

export function filtered(rows: readonly EventRow[], query: string): readonly EventRow[] {
  const words = query.toLowerCase().split(/\s+/).filter(Boolean);
  return words.length === 0
    ? rows
    : rows.filter(({ haystack }) => words.every((word) => haystack.includes(word)));
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
