/** Where the arrows lead on the board. */
import type { CardModel } from "./card.ts";
import { COLUMN_ORDER, type Columns } from "./columns.ts";

export type Step = "down" | "up" | "left" | "right" | "first" | "last";

/** From one card to the next; without a card, to the first one there is. A column without cards is stepped over. */
export function stepFrom(columns: Columns, id: string | undefined, step: Step): CardModel | undefined {
  const at = placeOf(columns, id);
  if (!at) return COLUMN_ORDER.map((column) => columns[column][0]).find((card) => card !== undefined);
  const cards = columns[COLUMN_ORDER[at.column] ?? "WORKING"];
  switch (step) {
    case "down":
      return cards[at.index + 1];
    case "up":
      return cards[at.index - 1];
    case "first":
      return cards[0];
    case "last":
      return cards.at(-1);
    case "left":
      return sideways(columns, at, -1);
    case "right":
      return sideways(columns, at, 1);
  }
}

interface At {
  readonly column: number;
  readonly index: number;
}

function placeOf(columns: Columns, id: string | undefined): At | undefined {
  if (id === undefined) return undefined;
  for (const [column, name] of COLUMN_ORDER.entries()) {
    const index = columns[name].findIndex((card) => card.id === id);
    if (index >= 0) return { column, index };
  }
  return undefined;
}

function sideways(columns: Columns, { column, index }: At, by: 1 | -1): CardModel | undefined {
  for (let next = column + by; next >= 0 && next < COLUMN_ORDER.length; next += by) {
    const cards = columns[COLUMN_ORDER[next] ?? "WORKING"];
    if (cards.length > 0) return cards[Math.min(index, cards.length - 1)];
  }
  return undefined;
}
