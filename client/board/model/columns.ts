/** Which card stands where: three columns, newest activity first. */
import { KANBAN_COLUMNS, type KanbanColumn, type WorkspaceEntry } from "../../../src/protocol/workspace.ts";
import { type CardModel, cardOf } from "./card.ts";

export interface Columns {
  readonly WORKING: readonly CardModel[];
  readonly WAITING: readonly CardModel[];
  readonly DONE: readonly CardModel[];
}

export const COLUMN_ORDER = KANBAN_COLUMNS;

export const COLUMN_WORDS: Readonly<Record<KanbanColumn, { title: string; empty: string }>> = {
  WORKING: { title: "Working", empty: "Nothing is at work right now." },
  WAITING: { title: "Waiting", empty: "Nothing waits for you." },
  DONE: { title: "Done", empty: "Nothing was merged or closed yet." },
};

/** @param query - words that must all occur; see {@link matches}. */
export function columnsOf(entries: readonly WorkspaceEntry[], query = ""): Columns {
  const columns: Record<KanbanColumn, CardModel[]> = { WORKING: [], WAITING: [], DONE: [] };
  const words = wordsOf(query);
  for (const entry of entries) {
    if (entry.kanbanColumn === null) continue;
    const card = cardOf(entry);
    if (matches(card, words)) columns[entry.kanbanColumn].push(card);
  }
  for (const column of COLUMN_ORDER) columns[column].sort(newestFirst);
  return columns;
}

/** Ties stay where they are known to be: by name, then id, so that no card changes place without a reason. */
function newestFirst(a: CardModel, b: CardModel): number {
  return (b.activeAt ?? 0) - (a.activeAt ?? 0) || byName(a, b);
}

export function byName(a: CardModel, b: CardModel): number {
  return compare(a.name.toLowerCase(), b.name.toLowerCase()) || compare(a.id, b.id);
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

export function wordsOf(query: string): readonly string[] {
  return query.toLowerCase().split(/\s+/).filter(Boolean);
}

/** Every word occurs somewhere: name, id, branch, project, reason, pull request, sessions. */
export function matches({ haystack }: CardModel, words: readonly string[]): boolean {
  return words.every((word) => haystack.includes(word));
}

export interface Tally {
  readonly working: number;
  readonly yourTurn: number;
  readonly loud: number;
}

export function tallyOf(entries: readonly WorkspaceEntry[]): Tally {
  let [working, yourTurn, loud] = [0, 0, 0];
  for (const entry of entries) {
    const { voice } = cardOf(entry);
    if (voice === "working") working += 1;
    if (voice === "your-turn") yourTurn += 1;
    if (voice === "loud") loud += 1;
  }
  return { working, yourTurn, loud };
}
