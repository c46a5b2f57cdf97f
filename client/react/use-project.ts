/** A live project in a component: thin, for everything happens in the live projects below. */
import { useMemo } from "react";
import type { WorkspaceEntry } from "../../src/protocol/workspace.ts";
import type { LiveProject } from "../live-projects.ts";
import { idleView, type ProjectView } from "../project-view.ts";
import type { ReplicaEntry } from "../replica-state.ts";
import { same } from "../same.ts";
import type { EntryOf, SnapshotsClient } from "../snapshots-client.ts";
import { useProjects } from "./provider.ts";
import { type IsEqual, useSelected } from "./use-selected.ts";

/** The project itself, for what a view does not say: `retry()`, `lastProofOfLife`. Subscribes to nothing. */
export function useProject<Entry extends ReplicaEntry = WorkspaceEntry>(
  projectId: string,
): LiveProject<Entry> {
  const projects = useProjects();
  // A provider knows the client, not its type: the one who asks says what the entries are.
  return useMemo(() => projects.project(projectId) as LiveProject<Entry>, [projects, projectId]);
}

/**
 * The project as it is now, rendered again at most once per frame, and only when what was selected changed. All
 * components that watch one project share one subscription.
 * @param select Of the view: what this component shows. @defaultValue all of it
 * @param isEqual @defaultValue equal content; entries that did not change are the same objects, so that is cheap
 */
export function useProjectSnapshot<Entry extends ReplicaEntry = WorkspaceEntry>(
  projectId: string,
): ProjectView<Entry>;
export function useProjectSnapshot<Selected, Entry extends ReplicaEntry = WorkspaceEntry>(
  projectId: string,
  select: (view: ProjectView<Entry>) => Selected,
  isEqual?: IsEqual<Selected>,
): Selected;
export function useProjectSnapshot<Entry extends ReplicaEntry>(
  projectId: string,
  select: (view: ProjectView<Entry>) => unknown = all,
  isEqual: IsEqual<unknown> = select === all ? Object.is : same,
): unknown {
  const project = useProject<Entry>(projectId);
  // On the server, and for the first render over its markup: nothing is known, and that is the same on both sides.
  const readOnServer = useMemo(() => {
    const idle = idleView<Entry>(projectId);
    return () => idle;
  }, [projectId]);
  return useSelected(project, readOnServer, select, isEqual);
}

function all<View>(view: View): View {
  return view;
}

/** The hooks for entries of another model than the built-in one: `hooksFor<typeof trpc.team.snapshots>()`. */
export interface ProjectHooks<Entry extends ReplicaEntry> {
  useProject(projectId: string): LiveProject<Entry>;
  useProjectSnapshot(projectId: string): ProjectView<Entry>;
  useProjectSnapshot<Selected>(
    projectId: string,
    select: (view: ProjectView<Entry>) => Selected,
    isEqual?: IsEqual<Selected>,
  ): Selected;
}

export function hooksFor<Snapshots extends SnapshotsClient>(): ProjectHooks<EntryOf<Snapshots>> {
  return { useProject, useProjectSnapshot };
}
