/**
 * One project as the board sees it: the live view, and what only a page that looks on can know: what changed while it
 * looked, since when the view may be old, what an interruption missed, how late a change arrived.
 */
import type { WorkspaceEntry } from "../../../src/protocol/workspace.ts";
import type { LiveProject } from "../../live-projects.ts";
import type { ProjectView } from "../../project-view.ts";
import { isSettled } from "../../project-view.ts";
import { momentOf } from "../model/age.ts";
import { difference, type ObservedChange } from "../model/changes.ts";

export interface ProjectState {
  readonly projectId: string;
  readonly view: ProjectView<WorkspaceEntry>;
  /** Since when what is shown may be old, in milliseconds since 1970; undefined: it is not. */
  readonly staleSince: number | undefined;
  /** The end of the last interruption, counted in changes that a person would notice. */
  readonly caughtUp: { readonly at: number; readonly changes: number } | undefined;
  /** When this page saw a workspace change, by id; only while it looked on. */
  readonly changedAt: ReadonlyMap<string, number>;
  /** Of the newest change: from the moment it was computed to here, in milliseconds. */
  readonly lagMs: number | undefined;
}

export interface ProjectWatchOptions {
  readonly project: LiveProject<WorkspaceEntry>;
  readonly now: () => number;
  readonly onChange: () => void;
  readonly onObserved: (changes: readonly ObservedChange[]) => void;
}

type View = ProjectView<WorkspaceEntry>;

export class ProjectWatch {
  readonly projectId: string;
  readonly #options: ProjectWatchOptions;
  readonly #leave: () => void;
  /** The view when the connection was lost, until it is whole again. */
  #lost: { readonly entries: ReadonlyMap<string, WorkspaceEntry> } | undefined;
  #clockAhead = 0;
  #state: ProjectState;

  constructor(options: ProjectWatchOptions) {
    this.#options = options;
    this.projectId = options.project.projectId;
    this.#leave = options.project.subscribe(() => this.#look());
    const view = options.project.getSnapshot();
    this.#state = {
      projectId: this.projectId,
      view,
      staleSince: undefined,
      caughtUp: undefined,
      changedAt: new Map(),
      lagMs: undefined,
    };
  }

  get state(): ProjectState {
    return this.#state;
  }

  retry(): void {
    this.#options.project.retry();
  }

  close(): void {
    this.#leave();
  }

  #look(): void {
    const view = this.#options.project.getSnapshot();
    const before = this.#state;
    if (view === before.view) return;
    const now = this.#options.now();
    const wasLoaded = before.view.position !== undefined;
    const { changes, touched } =
      view.entries === before.view.entries
        ? { changes: [], touched: [] }
        : difference(before.view.byId, view.byId, now);
    this.#state = {
      projectId: this.projectId,
      view,
      staleSince: this.#staleSince(view, now),
      caughtUp: this.#caughtUp(view, now),
      changedAt: wasLoaded ? noted(before.changedAt, touched, now, view) : before.changedAt,
      lagMs: this.#lag(view, touched, now) ?? before.lagMs,
    };
    if (wasLoaded && changes.length > 0) this.#options.onObserved(changes);
    this.#options.onChange();
  }

  #staleSince(view: View, now: number): number | undefined {
    if (view.status === "live" || view.position === undefined) return undefined;
    const { lastProofOfLife } = this.#options.project;
    return this.#state.staleSince ?? (view.status === "stale" ? now : (lastProofOfLife ?? now));
  }

  #caughtUp(view: View, now: number): ProjectState["caughtUp"] {
    const { view: before, caughtUp } = this.#state;
    if (isSettled(before.status) && !isSettled(view.status)) this.#lost ??= { entries: before.byId };
    if (!isSettled(view.status)) return undefined;
    if (!this.#lost) return caughtUp;
    const { changes } = difference(this.#lost.entries, view.byId, now);
    this.#lost = undefined;
    return { at: now, changes: changes.length };
  }

  /** The server's clock may be another one: what would arrive before it was sent says by how much, at least. */
  #lag(view: View, touched: readonly string[], now: number): number | undefined {
    if (this.#state.view.status !== "live" || view.status !== "live") return undefined;
    const newest = Math.max(0, ...touched.map((id) => momentOf(view.byId.get(id)?.computedAt) ?? 0));
    if (newest === 0) return undefined;
    this.#clockAhead = Math.max(this.#clockAhead, newest - now);
    return now + this.#clockAhead - newest;
  }
}

function noted(
  before: ReadonlyMap<string, number>,
  touched: readonly string[],
  now: number,
  view: View,
): ReadonlyMap<string, number> {
  if (touched.length === 0) return before;
  const after = new Map([...before].filter(([id]) => view.byId.has(id)));
  for (const id of touched) after.set(id, now);
  return after;
}
