/** What happens, newest first. While somebody points at it, it stands still, and says how many wait. */
import { useState } from "react";
import { clockTime, longAge } from "../model/age.ts";
import { Icon } from "../ui/icons.tsx";
import { type EventRow, filtered } from "./event-list.ts";
import type { EventsState } from "./event-store.ts";

export interface FeedPaneProps {
  readonly events: EventsState;
  /** Undefined: all. */
  readonly project: string | undefined;
  readonly now: number;
  readonly onOpen: (workspaceId: string) => void;
  readonly onClose: () => void;
}

export function FeedPane({ events, project, now, onOpen, onClose }: FeedPaneProps) {
  const [query, setQuery] = useState("");
  const [held, setHeld] = useState<readonly EventRow[]>();
  const inProject = events.rows.filter(
    (row) => project === undefined || row.projectId === project || row.kind === "gap",
  );
  const all = filtered(inProject, query);
  const standing = held ? filtered(held, query) : all;
  const waiting = held ? all.filter((row) => !held.includes(row)).length : 0;
  const hold = (): void => setHeld((before) => before ?? inProject);
  const release = (): void => setHeld(undefined);
  return (
    <aside className="pane" aria-labelledby="feed-title" data-feed>
      <header className="pane-head">
        <div className="pane-title">
          <h2 id="feed-title">Events</h2>
          <button type="button" className="icon-button" aria-label="Close events" onClick={onClose}>
            <Icon name="cross" />
          </button>
        </div>
        <input
          type="search"
          className="field"
          aria-label="Filter events"
          placeholder="Filter by type, workspace, words"
          spellCheck={false}
          value={query}
          onChange={(event) => setQuery(event.currentTarget.value)}
        />
      </header>
      <div className="feed-new" role="status">
        {waiting > 0 ? (
          <button type="button" className="button button-main button-small" onClick={release}>
            {waiting} new
          </button>
        ) : null}
      </div>
      {/* biome-ignore lint/a11y/noStaticElementInteractions: pointing at it is not an action, it only stands still */}
      <div
        className="pane-body feed-body"
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard
        tabIndex={0}
        onMouseEnter={hold}
        onMouseLeave={release}
        onFocus={hold}
        onBlur={release}
      >
        {standing.length === 0 ? (
          <p className="quiet feed-empty">
            {query ? `No event matches “${query}”.` : "Nothing happened yet."}
          </p>
        ) : (
          <EventRows rows={standing} now={now} onOpen={onOpen} />
        )}
      </div>
    </aside>
  );
}

interface EventRowsProps {
  readonly rows: readonly EventRow[];
  readonly now: number;
  /** Absent: where it happened is known already. */
  readonly onOpen?: (workspaceId: string) => void;
}

function EventRows({ rows, now, onOpen }: EventRowsProps) {
  return (
    <ol className="feed" aria-label="Events">
      {rows.map((row) => (
        <li key={row.id} className={`feed-row feed-${row.kind}`}>
          <time dateTime={new Date(row.at).toISOString()} title={longAge(row.at, now)}>
            {clockTime(row.at, now, true)}
          </time>
          <div className="feed-what">
            <span className="feed-type">{row.type}</span>
            {onOpen && row.workspaceId !== undefined ? (
              <WorkspaceLink id={row.workspaceId} onOpen={onOpen} />
            ) : null}
            <span className="feed-words">{row.words}</span>
          </div>
        </li>
      ))}
    </ol>
  );
}

function WorkspaceLink({ id, onOpen }: { readonly id: string; readonly onOpen: (id: string) => void }) {
  return (
    <button type="button" className="link" onClick={() => onOpen(id)}>
      {id}
    </button>
  );
}

/** How many of one workspace are listed beside it. */
const RECENT_SHOWN = 12;

/** Of one workspace, beside all else that is known of it. */
export function RecentEvents({ rows, now }: { readonly rows: readonly EventRow[]; readonly now: number }) {
  return (
    <section className="pane-section" data-recent>
      <h3>Recent events</h3>
      {rows.length === 0 ? (
        <p className="quiet">None that is still kept.</p>
      ) : (
        <EventRows rows={rows.slice(0, RECENT_SHOWN)} now={now} />
      )}
    </section>
  );
}
