/** Everything that is known of one workspace: what a person asks first stands first, the raw entry stands last. */
import { type ReactNode, type Ref, useState } from "react";
import {
  FIELD_GROUPS,
  type FieldGroup,
  type SessionSummary,
  type WorkspaceEntry,
} from "../../../src/protocol/workspace.ts";
import { clockTime, grouped, longAge, momentOf } from "../model/age.ts";
import { type CardModel, CI_WORDS, prStateWords, sessionState } from "../model/card.ts";
import { changeWords, type ObservedChange, words } from "../model/changes.ts";
import { Reason } from "./card.tsx";
import { Icon } from "./icons.tsx";
import { CiSign, Lines, Uncommitted } from "./marks.tsx";

export interface DetailProps {
  readonly card: CardModel;
  readonly now: number;
  readonly position: string | undefined;
  /** Of this workspace, newest first. */
  readonly trail: readonly ObservedChange[];
  /** Its recent events, where the server tells them. */
  readonly events?: ReactNode;
  readonly headingRef: Ref<HTMLHeadingElement>;
  readonly onClose: () => void;
}

const GROUP_WORDS: Readonly<Record<FieldGroup, string>> = {
  workspace: "Workspace",
  pr: "Pull request",
  session: "Sessions",
  ratchet: "Automatic fixing",
  runScript: "Run script",
  reconciliation: "Git and activity",
};

export function Detail({ card, now, position, trail, events, headingRef, onClose }: DetailProps) {
  const { entry } = card;
  return (
    <aside className="pane" aria-labelledby="detail-title" data-detail={card.id}>
      <header className="pane-head">
        <div className="pane-title">
          <h2 id="detail-title" tabIndex={-1} ref={headingRef}>
            {card.name}
          </h2>
          <button type="button" className="icon-button" aria-label="Close details" onClick={onClose}>
            <Icon name="cross" />
          </button>
        </div>
        <p className="pane-sub">
          <Icon name="branch" />
          <span className="mono wrap">{card.branch}</span>
        </p>
        <Reason card={card} />
      </header>
      <div className="pane-body">
        <Changed trail={trail} now={now} />
        <Facts title="Work">
          <Fact name="Lines">
            <Lines additions={card.additions} deletions={card.deletions} files={card.files} />
            {card.files > 0 ? ` in ${grouped(card.files)} ${card.files === 1 ? "file" : "files"}` : ""}
          </Fact>
          <Fact name="Committed">
            {entry.gitStats === null ? "not known" : card.uncommitted ? <Uncommitted /> : "everything"}
            {card.uncommitted ? " not everything" : ""}
          </Fact>
          <Fact name="Last activity">{when(entry.lastActivityAt, now)}</Fact>
          <Fact name="Created">{when(entry.createdAt, now)}</Fact>
          <Fact name="Status">{words(entry.status)}</Fact>
          {entry.mode === "AUTO_ITERATION" ? (
            <Fact name="Iterating">{words(entry.autoIterationStatus ?? "IDLE")}</Fact>
          ) : null}
          {entry.runScriptStatus === "IDLE" ? null : (
            <Fact name="Run script">{words(entry.runScriptStatus)}</Fact>
          )}
        </Facts>
        <PullRequest entry={entry} now={now} />
        <Sessions sessions={entry.sessionSummaries} pending={entry.pendingRequestType} now={now} />
        {entry.ratchetEnabled ? <AutomaticFixing entry={entry} /> : null}
        {events}
        <Provenance entry={entry} position={position} now={now} />
        <Raw entry={entry} />
      </div>
    </aside>
  );
}

function Facts({ title, children }: { readonly title: string; readonly children: ReactNode }) {
  return (
    <section className="pane-section">
      <h3>{title}</h3>
      <dl className="facts">{children}</dl>
    </section>
  );
}

function Fact({ name, children }: { readonly name: string; readonly children: ReactNode }) {
  return (
    <>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </>
  );
}

function when(text: string | null, now: number): string {
  const moment = momentOf(text);
  return moment === undefined ? "not known" : `${longAge(moment, now)} (${clockTime(moment, now)})`;
}

/** How many of the observed changes are listed. */
const CHANGES_SHOWN = 8;

function Changed({ trail, now }: Pick<DetailProps, "trail" | "now">) {
  return (
    <section className="pane-section" data-changes>
      <h3>What changed last</h3>
      {trail.length === 0 ? (
        <p className="quiet">Nothing since this page was opened.</p>
      ) : (
        <ol className="changes">
          {trail.slice(0, CHANGES_SHOWN).map((change) => (
            <li key={`${change.version}-${change.at}`}>
              <time dateTime={new Date(change.at).toISOString()} title={change.source}>
                {clockTime(change.at, now, true)}
              </time>
              {change.fields.length === 0 ? (
                <span>{changeWords(change)}</span>
              ) : (
                <ul>
                  {change.fields.map(({ field, from, to }) => (
                    <li key={field}>
                      <span className="quiet">{field}</span> <s>{from}</s> <Icon name="arrow" /> <b>{to}</b>
                    </li>
                  ))}
                </ul>
              )}
            </li>
          ))}
        </ol>
      )}
    </section>
  );
}

function PullRequest({ entry, now }: { readonly entry: WorkspaceEntry; readonly now: number }) {
  const { prUrl, prNumber, prState, prCiStatus, hasMergeConflict } = entry;
  if (prState === "NONE" && prNumber === null && !prUrl)
    return (
      <section className="pane-section">
        <h3>Pull request</h3>
        <p className="quiet">None yet.</p>
      </section>
    );
  const name = prNumber === null ? "Pull request" : `#${prNumber}`;
  return (
    <Facts title="Pull request">
      <Fact name="Number">{isWebAddress(prUrl) ? <Outside href={prUrl}>{name}</Outside> : name}</Fact>
      <Fact name="State">{prStateWords(prState)}</Fact>
      <Fact name="CI">
        <CiSign state={entry.sidebarStatus.ciState} /> {CI_WORDS[prCiStatus]}
      </Fact>
      <Fact name="Conflict">{hasMergeConflict ? "yes" : "no"}</Fact>
      {entry.prUpdatedAt === null ? null : <Fact name="Looked at">{when(entry.prUpdatedAt, now)}</Fact>}
    </Facts>
  );
}

function Outside({ href, children }: { readonly href: string; readonly children: ReactNode }) {
  return (
    <a href={href} target="_blank" rel="noreferrer noopener">
      {children}
      <Icon name="link" />
    </a>
  );
}

/** An address comes from outside: one that would run code is not made a link. */
function isWebAddress(url: string | null): url is string {
  return url !== null && /^https?:\/\//i.test(url);
}

interface SessionsProps {
  readonly sessions: readonly SessionSummary[];
  readonly pending: WorkspaceEntry["pendingRequestType"];
  readonly now: number;
}

function Sessions({ sessions, pending, now }: SessionsProps) {
  return (
    <section className="pane-section">
      <h3>Sessions</h3>
      {pending === null ? null : <p className="asked">Waits for {words(pending)}.</p>}
      {sessions.length === 0 ? <p className="quiet">None.</p> : null}
      <ul className="sessions">
        {sessions.map((session) => (
          <Session key={session.sessionId} session={session} now={now} />
        ))}
      </ul>
    </section>
  );
}

function Session({ session, now }: { readonly session: SessionSummary; readonly now: number }) {
  const state = sessionState(session);
  const about = [session.provider?.toLowerCase(), session.model, session.workflow]
    .filter(Boolean)
    .join(" · ");
  const trouble = state === "error" ? troubleOf(session) : undefined;
  return (
    <li>
      <div className="session-head">
        <span className={`session-state session-${state}`}>{state}</span>
        <span className="clip">{session.name ?? session.sessionId}</span>
        <span className="quiet">{longAge(momentOf(session.updatedAt), now)}</span>
      </div>
      {about ? <div className="quiet">{about}</div> : null}
      {trouble ? <div className="session-error">{trouble}</div> : null}
    </li>
  );
}

function troubleOf({ errorMessage, lastExit }: SessionSummary): string {
  if (errorMessage?.trim()) return errorMessage.trim();
  if (lastExit && lastExit.code !== null) return `It ended with exit code ${lastExit.code}.`;
  return "It ended without a reason.";
}

function AutomaticFixing({ entry }: { readonly entry: WorkspaceEntry }) {
  const { ratchetState, ratchetDispatchOutcome, ratchetDispatchRetryCount, ratchetDispatchStalled } = entry;
  return (
    <Facts title="Automatic fixing">
      <Fact name="State">{words(ratchetState)}</Fact>
      <Fact name="Last run">{ratchetDispatchOutcome === null ? "none" : words(ratchetDispatchOutcome)}</Fact>
      <Fact name="Retries">{ratchetDispatchRetryCount}</Fact>
      <Fact name="Stalled">{ratchetDispatchStalled ? "yes" : "no"}</Fact>
    </Facts>
  );
}

function Provenance({
  entry,
  position,
  now,
}: {
  readonly entry: WorkspaceEntry;
  readonly position: string | undefined;
  readonly now: number;
}) {
  return (
    <Facts title="Where this comes from">
      <Fact name="Version">{grouped(entry.version)}</Fact>
      <Fact name="Computed">{when(entry.computedAt, now)}</Fact>
      <Fact name="Said by">
        <span className="wrap">{entry.source}</span>
      </Fact>
      <Fact name="Position">
        <span className="mono wrap">{position ?? "none yet"}</span>
      </Fact>
      <Fact name="Project">{entry.projectId}</Fact>
      <Fact name="Id">
        <span className="mono wrap">{entry.workspaceId}</span>
      </Fact>
      {FIELD_GROUPS.map((group) => (
        <Fact key={group} name={`${GROUP_WORDS[group]} seen`}>
          {entry.fieldTimestamps[group] === 0 ? "never" : longAge(entry.fieldTimestamps[group], now)}
        </Fact>
      ))}
    </Facts>
  );
}

function Raw({ entry }: { readonly entry: WorkspaceEntry }) {
  const [open, setOpen] = useState(false);
  return (
    <details className="raw" onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>The whole entry</summary>
      {open ? (
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard
        <pre tabIndex={0}>{JSON.stringify(entry, null, 2)}</pre>
      ) : null}
    </details>
  );
}
