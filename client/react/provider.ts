/** Which client the hooks below use. */
import { createContext, createElement, type ReactNode, useContext, useMemo } from "react";
import { type LiveProjects, liveProjectsOf, type ProjectsSource } from "../live-projects.ts";
import type { ReplicaEntry } from "../replica-state.ts";

const ProjectsContext = createContext<LiveProjects<ReplicaEntry> | undefined>(undefined);

export interface SnapwireProviderProps {
  /**
   * What `createSnapwireClient` returns, `{ snapshots }` of any tRPC client, or live projects of your own. It is not
   * closed with the page: whoever made it closes it. undefined: there is none yet, as on a server that renders pages;
   * everything is `connecting`.
   */
  readonly client: ProjectsSource | undefined;
  readonly children?: ReactNode;
}

/** A client that never says a word. */
const SILENT: ProjectsSource = { snapshots: { onProject: { subscribe: () => ({ unsubscribe: () => {} }) } } };

export function SnapwireProvider({ client, children }: SnapwireProviderProps) {
  const projects = useMemo(() => liveProjectsOf(client ?? SILENT), [client]);
  return createElement(ProjectsContext.Provider, { value: projects }, children);
}

/** @throws Error outside of a {@link SnapwireProvider}. */
export function useProjects(): LiveProjects<ReplicaEntry> {
  const projects = useContext(ProjectsContext);
  if (!projects)
    throw new Error("no Snapwire client here: put <SnapwireProvider client={...}> around this component");
  return projects;
}
