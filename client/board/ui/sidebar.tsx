/** Every workspace by name, in a place that does not change: what is at work, and how its CI does. */
import { memo } from "react";
import type { WorkspaceEntry } from "../../../src/protocol/workspace.ts";
import { grouped } from "../model/age.ts";
import { type CardModel, cardOf } from "../model/card.ts";
import { byName } from "../model/columns.ts";
import type { ProjectState } from "../store/project-watch.ts";
import { goTo } from "./address.ts";
import { useRem } from "./hooks.ts";
import { ActivityDot, CiSign } from "./marks.tsx";
import { VirtualList } from "./virtual-list.tsx";

const ROW_REM = 1.9;

export interface SidebarProps {
  readonly projects: readonly ProjectState[];
  readonly unwatched: readonly string[];
  /** Undefined: all. */
  readonly project: string | undefined;
  readonly selected: string | undefined;
  readonly entries: readonly WorkspaceEntry[];
  readonly onOpen: (id: string) => void;
}

export function Sidebar({ projects, unwatched, project, selected, entries, onOpen }: SidebarProps) {
  return (
    <nav className="sidebar" aria-label="Projects and workspaces">
      {projects.length > 1 || project !== undefined ? (
        <Projects projects={projects} unwatched={unwatched} project={project} />
      ) : null}
      <h2 className="sidebar-head" id="sidebar-workspaces">
        {projects.length === 1 ? (projects[0]?.projectId ?? "Workspaces") : "Workspaces"}
        <span className="count">{grouped(entries.length)}</span>
      </h2>
      <Workspaces entries={entries} selected={selected} onOpen={onOpen} />
    </nav>
  );
}

function Projects({
  projects,
  unwatched,
  project,
}: Pick<SidebarProps, "projects" | "unwatched" | "project">) {
  const all = projects.reduce((sum, { view }) => sum + view.entries.length, 0);
  return (
    <>
      <h2 className="sidebar-head" id="sidebar-projects">
        Projects
      </h2>
      <ul className="projects" aria-labelledby="sidebar-projects">
        <ProjectRow name="All projects" count={all} current={project === undefined} loud={0} />
        {projects.map(({ projectId, view }) => (
          <ProjectRow
            key={projectId}
            name={projectId}
            projectId={projectId}
            count={view.entries.length}
            current={project === projectId}
            loud={view.entries.filter((entry) => cardOf(entry).voice === "loud").length}
          />
        ))}
        {unwatched.length > 0 ? (
          <li className="projects-more">{grouped(unwatched.length)} more are not watched here</li>
        ) : null}
      </ul>
    </>
  );
}

interface ProjectRowProps {
  readonly name: string;
  readonly projectId?: string;
  readonly count: number;
  readonly current: boolean;
  readonly loud: number;
}

function ProjectRow({ name, projectId, count, current, loud }: ProjectRowProps) {
  return (
    <li>
      <button
        type="button"
        className="side-row"
        aria-current={current ? "true" : undefined}
        onClick={() => goTo({ project: projectId, view: "board" })}
      >
        <span className="clip">{name}</span>
        {loud > 0 ? (
          <span className="count count-loud" title={`${loud} need you`}>
            {grouped(loud)}
            <span className="unseen"> need you,</span>
          </span>
        ) : null}
        <span className="count">
          {grouped(count)}
          <span className="unseen"> workspaces</span>
        </span>
      </button>
    </li>
  );
}

const Workspaces = memo(function Workspaces({
  entries,
  selected,
  onOpen,
}: Pick<SidebarProps, "entries" | "selected" | "onOpen">) {
  const rowHeight = Math.round(ROW_REM * useRem());
  const rows = entries.map(cardOf).sort(byName);
  if (rows.length === 0) return <p className="sidebar-empty">None yet.</p>;
  return (
    <VirtualList
      className="side-rows"
      items={rows}
      idOf={idOf}
      rowHeight={rowHeight}
      labelledBy="sidebar-workspaces"
      render={(card) => (
        <button
          type="button"
          className="side-row"
          title={card.id}
          data-side={card.id}
          aria-current={card.id === selected ? "true" : undefined}
          onClick={() => onOpen(card.id)}
        >
          <ActivityDot working={card.entry.sidebarStatus.activityState === "WORKING"} />
          <span className="clip">{card.name}</span>
          {card.voice === "loud" ? (
            <span className="side-loud" title={card.reason}>
              <span className="unseen">{card.reason}</span>
            </span>
          ) : null}
          <CiSign state={card.entry.sidebarStatus.ciState} />
        </button>
      )}
    />
  );
});

function idOf({ id }: CardModel): string {
  return id;
}
