/** The page as a whole: which view, which projects, which card; and the keyboard. */
import { useCallback, useEffect, useMemo, useRef, useState, useSyncExternalStore } from "react";
import type { WorkspaceEntry } from "../../../src/protocol/workspace.ts";
import type { SnapwireClient } from "../../connection.ts";
import type { FrameLog } from "../../live-panel/frame-log.ts";
import type { AgentStore } from "../agents/agent-store.ts";
import { Agents } from "../agents/agents.tsx";
import type { EventStore } from "../feed/event-store.ts";
import { FeedPane, RecentEvents } from "../feed/feed-pane.tsx";
import { type CardModel, cardOf } from "../model/card.ts";
import { columnsOf, tallyOf } from "../model/columns.ts";
import { type Step, stepFrom } from "../model/steps.ts";
import { Ops } from "../ops/ops.tsx";
import type { BoardStore } from "../store/board-store.ts";
import type { ProjectState } from "../store/project-watch.ts";
import type { TokenKeeper } from "../store/token.ts";
import { goTo, usePlace, VIEWS } from "./address.ts";
import { BoardView, boardSummary } from "./board-view.tsx";
import { Detail } from "./detail.tsx";
import { Banner, FreshnessPill, useFreshness } from "./freshness.tsx";
import { Header } from "./header.tsx";
import { Help } from "./help.tsx";
import { useNow, useTheme } from "./hooks.ts";
import { Icon } from "./icons.tsx";
import { useKeys } from "./keyboard.ts";
import { Sidebar } from "./sidebar.tsx";
import { Denied, Loading, NoProjects, NoSuchProject, NoWorkspaces, Unreachable } from "./states.tsx";

export interface AppProps {
  readonly client: SnapwireClient;
  readonly store: BoardStore;
  readonly events: EventStore;
  readonly agents: AgentStore;
  readonly keeper: TokenKeeper;
  readonly frames: FrameLog;
}

const NO_ENTRIES: readonly WorkspaceEntry[] = [];

export function App({ client, store, events, agents, keeper, frames }: AppProps) {
  const state = useSyncExternalStore(store.subscribe, store.getState);
  const happened = useSyncExternalStore(events.subscribe, events.getState);
  const devices = useSyncExternalStore(agents.subscribe, agents.getState);
  const place = usePlace();
  const now = useNow(10_000);
  const [theme, nextTheme] = useTheme();
  const [query, setQuery] = useState("");
  const [isFeedOpen, setFeedOpen] = useState(false);
  const [isHelping, setHelping] = useState(false);
  const [sidebarOpen, setSidebarOpen] = useState(() => innerWidth >= 900);
  const [focused, setFocused] = useState<string>();
  const [reach, setReach] = useState<{ readonly id: string }>();
  const search = useRef<HTMLInputElement>(null);
  const heading = useRef<HTMLHeadingElement>(null);

  const shown = useMemo(
    () =>
      state.projects.filter(({ projectId }) => place.project === undefined || projectId === place.project),
    [state.projects, place.project],
  );
  const entries = useEntries(shown);
  const columns = useMemo(() => columnsOf(entries, query), [entries, query]);
  const freshness = useFreshness(state, shown, store.connection);
  const selected = place.workspace === undefined ? undefined : find(entries, place.workspace);
  const loud = useMemo(() => tallyOf(entries).loud, [entries]);

  useEffect(() => {
    const waiting = loud > 0 ? `(${loud}) ` : "";
    document.title = `${waiting}${freshness.dimmed ? `${freshness.word} · ` : ""}Snapwire`;
  }, [loud, freshness.dimmed, freshness.word]);

  const isLoaded = shown.some(({ view }) => view.position !== undefined);
  const hasEvents = happened.state === "open" || happened.rows.length > 0;
  const hasAgents = devices.state === "open" || devices.devices.length > 0;
  const views = VIEWS.filter((view) => view !== "agents" || hasAgents);
  const projectIds = state.projects.map(({ projectId }) => projectId).join("\n");
  const isKnown = state.phase === "ready";
  useEffect(() => {
    if (isKnown) events.watch(projectIds.split("\n"));
  }, [isKnown, events, projectIds]);
  useEffect(() => {
    if (isKnown) agents.start();
  }, [isKnown, agents]);

  const changedAt = useCallback(
    (card: CardModel) => shown.find(({ projectId }) => projectId === card.projectId)?.changedAt.get(card.id),
    [shown],
  );
  const open = useCallback((id: string) => {
    goTo({ workspace: id }, true);
    setFocused(id);
  }, []);
  const close = useCallback((id: string | undefined) => {
    goTo({ workspace: undefined }, true);
    if (id !== undefined) setReach({ id });
  }, []);
  const retry = useCallback(() => store.retry(), [store]);
  const onToken = useCallback(
    (token: string) => {
      keeper.set(token);
      void store.connection.renew().then((changed) => {
        if (!changed) store.retry();
      });
    },
    [keeper, store],
  );

  const step = (way: Step) => (event: KeyboardEvent) => {
    if (place.view !== "board") return;
    if (event.target instanceof Element && event.target.closest(".pane, .sidebar, .popover")) return;
    const card = stepFrom(columns, focused, way);
    event.preventDefault();
    if (!card) return;
    setFocused(card.id);
    setReach({ id: card.id });
    if (place.workspace !== undefined) goTo({ workspace: card.id }, true);
  };
  const enter = (event: KeyboardEvent): void => {
    const isOpen = event.target instanceof HTMLElement && event.target.dataset.card === place.workspace;
    if (!isOpen || place.workspace === undefined) return;
    event.preventDefault();
    heading.current?.focus();
  };
  const leave = (): void => {
    if (document.activeElement === search.current) {
      if (query !== "") setQuery("");
      else search.current?.blur();
    } else if (place.workspace !== undefined) close(place.workspace);
    else if (query !== "") setQuery("");
  };
  useKeys({
    j: step("down"),
    ArrowDown: step("down"),
    k: step("up"),
    ArrowUp: step("up"),
    h: step("left"),
    ArrowLeft: step("left"),
    l: step("right"),
    ArrowRight: step("right"),
    Home: step("first"),
    End: step("last"),
    Enter: enter,
    Escape: leave,
    "/": (event) => {
      event.preventDefault();
      search.current?.focus();
    },
    p: () => goTo({ project: following(state.projects, place.project), workspace: undefined }),
    b: () => goTo({ view: "board" }),
    o: () => goTo({ view: "ops" }),
    a: () => {
      if (hasAgents) goTo({ view: "agents" });
    },
    e: () => {
      if (hasEvents) setFeedOpen(!isFeedOpen);
    },
    s: () => setSidebarOpen(!sidebarOpen),
    t: nextTheme,
    r: retry,
    "?": () => setHelping(true),
  });

  return (
    <div
      className={`app ${freshness.dimmed && isLoaded ? "is-dimmed" : ""} ${sidebarOpen ? "has-sidebar" : ""}`}
      data-phase={state.phase}
    >
      <a className="skip" href="#content">
        Skip to the content
      </a>
      <Header
        place={place}
        views={views}
        query={query}
        onQuery={setQuery}
        searchRef={search}
        theme={theme}
        onTheme={nextTheme}
        onHelp={() => setHelping(true)}
        onSidebar={() => setSidebarOpen(!sidebarOpen)}
        sidebarOpen={sidebarOpen}
      >
        {hasEvents ? (
          <button
            type="button"
            className="icon-button"
            aria-label="Events"
            title="Events (e)"
            aria-expanded={isFeedOpen}
            onClick={() => setFeedOpen(!isFeedOpen)}
          >
            <Icon name="list" />
          </button>
        ) : null}
        <FreshnessPill freshness={freshness} shown={shown} connection={store.connection} onRetry={retry} />
      </Header>
      <Banner freshness={freshness} isLoaded={isLoaded} onRetry={retry} />
      <div className="body">
        {sidebarOpen && state.phase === "ready" ? (
          <Sidebar
            projects={state.projects}
            unwatched={state.unwatched}
            project={place.project}
            selected={place.workspace}
            entries={entries}
            onOpen={open}
          />
        ) : null}
        <main id="content" className="content" tabIndex={-1}>
          {place.view === "ops" && state.phase !== "denied" ? (
            <Ops client={client} keeper={keeper} projects={state.projects} frames={frames} />
          ) : place.view === "agents" && state.phase !== "denied" ? (
            <Agents agents={devices} now={now} onResend={(messageId) => agents.resend(messageId)} />
          ) : (
            <Content
              store={store}
              keeper={keeper}
              shown={shown}
              project={place.project}
              hasEntries={entries.length > 0}
              onToken={onToken}
            >
              <BoardView
                columns={columns}
                now={now}
                query={query}
                selected={place.workspace}
                focused={focused}
                reach={reach}
                withProject={shown.length > 1}
                changedAt={changedAt}
                onOpen={open}
                onFocus={setFocused}
              />
            </Content>
          )}
          <p className="unseen" role="status">
            {boardSummary(columns, query)}
          </p>
        </main>
        {selected ? (
          <Detail
            card={selected}
            now={now}
            position={shown.find(({ projectId }) => projectId === selected.projectId)?.view.position}
            trail={state.trail.filter(({ workspaceId }) => workspaceId === selected.id)}
            headingRef={heading}
            events={
              hasEvents ? (
                <RecentEvents
                  rows={happened.rows.filter(({ workspaceId }) => workspaceId === selected.id)}
                  now={now}
                />
              ) : undefined
            }
            onClose={() => close(selected.id)}
          />
        ) : isFeedOpen && hasEvents ? (
          <FeedPane
            events={happened}
            project={place.project}
            now={now}
            onOpen={open}
            onClose={() => setFeedOpen(false)}
          />
        ) : null}
      </div>
      {isHelping ? <Help onClose={() => setHelping(false)} /> : null}
    </div>
  );
}

interface ContentProps {
  readonly store: BoardStore;
  readonly keeper: TokenKeeper;
  readonly shown: readonly ProjectState[];
  readonly project: string | undefined;
  readonly hasEntries: boolean;
  readonly onToken: (token: string) => void;
  readonly children: React.ReactNode;
}

/** The board, or what is said in its place. Whatever was loaded once stays, whatever happens to the connection. */
function Content({ store, keeper, shown, project, hasEntries, onToken, children }: ContentProps) {
  const { phase } = store.getState();
  if (hasEntries) return children;
  const denied = shown.find(({ view }) => view.status === "denied");
  if (phase === "denied" || denied)
    return (
      <Denied
        hadToken={keeper.get() !== undefined}
        reason={
          denied?.view.reason === "forbidden"
            ? "It is known, but it may not watch this project."
            : "The server asks who you are before it shows anything."
        }
        onToken={onToken}
      />
    );
  const line = store.connection.getState();
  const isLoading = phase === "connecting" || shown.some(({ view }) => view.position === undefined);
  if (isLoading && (line.status === "reconnecting" || line.status === "offline"))
    return <Unreachable detail={line.detail} onRetry={() => store.retry()} />;
  if (isLoading) return <Loading />;
  if (shown.length === 0 && project !== undefined)
    return <NoSuchProject projectId={project} onAll={() => goTo({ project: undefined })} />;
  if (shown.length === 0) return <NoProjects />;
  if (shown.some(({ view }) => !view.complete)) return <Loading />;
  return <NoWorkspaces projectId={shown.length === 1 ? shown[0]?.projectId : undefined} />;
}

/** Of all projects shown. One project's entries are passed on as they are, so that what did not change stays the same. */
function useEntries(shown: readonly ProjectState[]): readonly WorkspaceEntry[] {
  const lists = shown.map(({ view }) => view.entries);
  const kept = useRef<{ lists: readonly (readonly WorkspaceEntry[])[]; all: readonly WorkspaceEntry[] }>({
    lists: [],
    all: NO_ENTRIES,
  });
  const same =
    lists.length === kept.current.lists.length &&
    lists.every((list, index) => list === kept.current.lists[index]);
  if (!same) kept.current = { lists, all: lists.length === 1 ? (lists[0] ?? NO_ENTRIES) : lists.flat() };
  return kept.current.all;
}

function find(entries: readonly WorkspaceEntry[], id: string): CardModel | undefined {
  const entry = entries.find(({ workspaceId }) => workspaceId === id);
  return entry && cardOf(entry);
}

/** All, then one after the other, then all again. */
function following(projects: readonly ProjectState[], project: string | undefined): string | undefined {
  if (projects.length < 2) return project;
  const index = projects.findIndex(({ projectId }) => projectId === project);
  return projects[index + 1]?.projectId;
}
