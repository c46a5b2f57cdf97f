/** How fresh the view is: one word that is always there, one sentence when there is something to say. */
import { useEffect, useRef, useState } from "react";
import { clockTime, longAge } from "../model/age.ts";
import { type Freshness, freshnessOf, type Standing, worstOf } from "../model/freshness.ts";
import type { BoardState, BoardStore } from "../store/board-store.ts";
import type { ProjectState } from "../store/project-watch.ts";
import { useNow } from "./hooks.ts";
import { Icon } from "./icons.tsx";

export function standingOf(project: ProjectState, connection: BoardStore["connection"]): Standing {
  const { status, reason, detail, complete } = project.view;
  return {
    status,
    reason,
    detail,
    complete,
    staleSince: project.staleSince,
    nextAttemptAt: connection.nextAttemptAt,
    caughtUp: project.caughtUp,
  };
}

/** Before anything is known of any project, only the connection can be spoken of. */
function standingOfLine({ phase }: BoardState, connection: BoardStore["connection"]): Standing {
  const { status, detail } = connection.getState();
  const offline = status === "offline" || status === "reconnecting";
  return {
    status:
      phase === "denied"
        ? "denied"
        : phase === "ready" && !offline
          ? "live"
          : offline
            ? "offline"
            : "connecting",
    reason: phase === "denied" ? "unauthorized" : undefined,
    detail,
    complete: true,
    staleSince: undefined,
    nextAttemptAt: connection.nextAttemptAt,
    caughtUp: undefined,
  };
}

/** Of what is shown; renewed every second, so that a countdown counts. */
export function useFreshness(
  state: BoardState,
  shown: readonly ProjectState[],
  connection: BoardStore["connection"],
): Freshness {
  const now = useNow(1_000);
  const worst = worstOf(shown.map((project) => standingOf(project, connection)));
  return freshnessOf(worst ?? standingOfLine(state, connection), Math.max(now, Date.now()));
}

export interface PillProps {
  readonly freshness: Freshness;
  readonly shown: readonly ProjectState[];
  readonly connection: BoardStore["connection"];
  readonly onRetry: () => void;
}

export function FreshnessPill({ freshness, shown, connection, onRetry }: PillProps) {
  const [open, setOpen] = useState(false);
  const place = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (!open) return undefined;
    const away = (event: Event): void => {
      const isKey = event instanceof KeyboardEvent;
      if (isKey ? event.key === "Escape" : !place.current?.contains(event.target as Node)) setOpen(false);
      if (isKey && event.key === "Escape") event.stopPropagation();
    };
    addEventListener("pointerdown", away);
    addEventListener("keydown", away, true);
    return () => {
      removeEventListener("pointerdown", away);
      removeEventListener("keydown", away, true);
    };
  }, [open]);
  const lag = lagOf(shown);
  return (
    <div className="pill-place" ref={place}>
      <button
        type="button"
        className={`pill pill-${freshness.tone}`}
        data-tone={freshness.tone}
        aria-expanded={open}
        onClick={() => setOpen(!open)}
      >
        <span className="pill-dot" aria-hidden="true" />
        <span data-freshness>{freshness.word}</span>
        {freshness.tone === "live" && lag !== undefined ? <span className="pill-lag">{lag} ms</span> : null}
      </button>
      {open ? <FreshnessDetails shown={shown} connection={connection} onRetry={onRetry} /> : null}
    </div>
  );
}

function FreshnessDetails({ shown, connection, onRetry }: Omit<PillProps, "freshness">) {
  const now = useNow(1_000);
  const { status, detail } = connection.getState();
  return (
    <section className="popover" aria-label="How fresh this is">
      <dl className="facts">
        <dt>Connection</dt>
        <dd>{status}</dd>
        <dt>Last heard</dt>
        <dd>{longAge(connection.lastProofOfLife, now)}</dd>
        {detail ? (
          <>
            <dt>Why</dt>
            <dd>{detail}</dd>
          </>
        ) : null}
      </dl>
      {shown.map((project) => (
        <dl className="facts" key={project.projectId}>
          <dt className="facts-title">{project.projectId}</dt>
          <dd>{freshnessOf(standingOf(project, connection), now).word}</dd>
          <dt>Position</dt>
          <dd className="mono">{project.view.position ?? "none yet"}</dd>
          <dt>Lag</dt>
          <dd>{project.lagMs === undefined ? "no change seen yet" : `${project.lagMs} ms, last change`}</dd>
          {project.caughtUp ? (
            <>
              <dt>Caught up</dt>
              <dd>
                {clockTime(project.caughtUp.at, now, true)}, {project.caughtUp.changes} changes
              </dd>
            </>
          ) : null}
        </dl>
      ))}
      <button type="button" className="button" onClick={onRetry}>
        Try again now
      </button>
    </section>
  );
}

/** Of the newest change of the projects shown, in milliseconds. */
function lagOf(shown: readonly ProjectState[]): number | undefined {
  const known = shown.flatMap(({ lagMs }) => (lagMs === undefined ? [] : [lagMs]));
  return known.length === 0 ? undefined : Math.max(...known);
}

interface BannerProps {
  readonly freshness: Freshness;
  /** False: what stands in place of the board says it all. */
  readonly isLoaded: boolean;
  readonly onRetry: () => void;
}

/** The sentence, told to everybody: also to whoever does not see the strip appear. */
export function Banner({ freshness, isLoaded, onRetry }: BannerProps) {
  const { sentence, tone } = freshness;
  return (
    <div className="banner-place" role="status">
      {sentence && isLoaded ? (
        <div className={`banner banner-${tone}`} data-banner={tone}>
          <Icon name={tone === "live" ? "check" : tone === "denied" ? "warning" : "pulse"} />
          <span>{sentence}</span>
          {tone === "stale" ? (
            <button type="button" className="button button-small" onClick={onRetry}>
              Try now
            </button>
          ) : null}
        </div>
      ) : null}
    </div>
  );
}
