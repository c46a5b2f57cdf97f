/** Where in the board somebody is, kept in the page's address: reload, back, and a copied link lead to the same view. */
import { useSyncExternalStore } from "react";

export const VIEWS = ["board", "agents", "ops"] as const;
export type ViewName = (typeof VIEWS)[number];

export interface Place {
  readonly view: ViewName;
  /** Undefined: all projects. */
  readonly project: string | undefined;
  /** The workspace whose details are shown. */
  readonly workspace: string | undefined;
}

export function placeOf(pathname: string, search: string): Place {
  const query = new URLSearchParams(search);
  const name = pathname.replace(/^\/|\/$/g, "");
  return {
    view: VIEWS.find((view) => view === name) ?? "board",
    project: query.get("project") ?? undefined,
    workspace: query.get("workspace") ?? undefined,
  };
}

export function addressOf({ view, project, workspace }: Place): string {
  const query = new URLSearchParams();
  if (project !== undefined) query.set("project", project);
  if (workspace !== undefined) query.set("workspace", workspace);
  const search = query.size > 0 ? `?${query}` : "";
  return `${view === "board" ? "/" : `/${view}`}${search}`;
}

const listeners = new Set<() => void>();
let current: Place | undefined;

function read(): Place {
  current ??= placeOf(location.pathname, location.search);
  return current;
}

function onMoved(): void {
  current = undefined;
  for (const listener of [...listeners]) listener();
}

function subscribe(listener: () => void): () => void {
  if (listeners.size === 0) addEventListener("popstate", onMoved);
  listeners.add(listener);
  return () => {
    listeners.delete(listener);
    if (listeners.size === 0) removeEventListener("popstate", onMoved);
  };
}

/** @param replace - no step of its own in the history: for what is looked at in passing. */
export function goTo(change: Partial<Place>, replace = false): void {
  const to = addressOf({ ...read(), ...change });
  if (to === `${location.pathname}${location.search}`) return;
  if (replace) history.replaceState(null, "", to);
  else history.pushState(null, "", to);
  onMoved();
}

export function usePlace(): Place {
  return useSyncExternalStore(subscribe, read);
}
