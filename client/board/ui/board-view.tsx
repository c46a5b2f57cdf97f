/** The three columns. Each has one tab stop of its own; the arrows go from card to card. */
import type { KanbanColumn } from "../../../src/protocol/workspace.ts";
import { counted, grouped } from "../model/age.ts";
import type { CardModel } from "../model/card.ts";
import { COLUMN_ORDER, COLUMN_WORDS, type Columns } from "../model/columns.ts";
import { Card } from "./card.tsx";
import { useRem } from "./hooks.ts";
import { VirtualList } from "./virtual-list.tsx";

/** A card and the gap below it, in rems. */
const CARD_REM = 7.5;

export interface BoardViewProps {
  readonly columns: Columns;
  readonly now: number;
  readonly query: string;
  readonly selected: string | undefined;
  readonly focused: string | undefined;
  readonly reach: { readonly id: string } | undefined;
  readonly withProject: boolean;
  readonly changedAt: (card: CardModel) => number | undefined;
  readonly onOpen: (id: string) => void;
  readonly onFocus: (id: string) => void;
}

export function BoardView(props: BoardViewProps) {
  return (
    <div className="columns">
      {COLUMN_ORDER.map((column) => (
        <Column key={column} column={column} cards={props.columns[column]} {...props} />
      ))}
    </div>
  );
}

interface ColumnProps extends BoardViewProps {
  readonly column: KanbanColumn;
  readonly cards: readonly CardModel[];
}

function Column({ column, cards, query, focused, reach, ...rest }: ColumnProps) {
  const rowHeight = Math.round(CARD_REM * useRem());
  const { title, empty } = COLUMN_WORDS[column];
  const loud = cards.filter(({ voice }) => voice === "loud").length;
  const tabbable = cards.find(({ id }) => id === focused) ?? cards[0];
  const heading = `column-${column}`;
  return (
    <section
      className={`column column-${column.toLowerCase()}`}
      data-column={column}
      aria-labelledby={heading}
    >
      <header className="column-head">
        <h2 id={heading}>{title}</h2>
        <span className="count">
          {grouped(cards.length)}
          <span className="unseen"> {cards.length === 1 ? "card" : "cards"}</span>
        </span>
        {loud > 0 ? (
          <span className="count count-loud">{loud === 1 ? "1 needs you" : `${grouped(loud)} need you`}</span>
        ) : null}
      </header>
      {cards.length === 0 ? (
        <p className="column-empty">{query ? `Nothing here matches “${query}”.` : empty}</p>
      ) : (
        <VirtualList
          items={cards}
          idOf={idOf}
          rowHeight={rowHeight}
          labelledBy={heading}
          reach={reach}
          render={(card) => (
            <Card
              card={card}
              now={rest.now}
              selected={card.id === rest.selected}
              tabbable={card === tabbable}
              withProject={rest.withProject}
              changedAt={rest.changedAt(card)}
              onOpen={rest.onOpen}
              onFocus={rest.onFocus}
            />
          )}
        />
      )}
    </section>
  );
}

function idOf({ id }: CardModel): string {
  return id;
}

/** For whoever does not see it: how many cards there are, and how many of them are found. */
export function boardSummary(columns: Columns, query: string): string {
  const count = COLUMN_ORDER.reduce((sum, column) => sum + columns[column].length, 0);
  return query ? `${counted(count, "workspace")} found` : "";
}
