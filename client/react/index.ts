/**
 * client/react: live projects in React components (18 and newer).
 *
 * In:       live projects (client/live-projects.ts).   Out: hooks.
 * Promise:  one subscription per project however many components, also in StrictMode; at most one commit per frame; a
 *           component renders only when what it selected changed; nothing is left after the last one unmounts.
 * Not here: how frames become a view (client), caches (client/query, client/tanstack-db).
 */
export { SnapwireProvider, type SnapwireProviderProps } from "./provider.ts";
export { useLiveStatus } from "./use-live-status.ts";
export { hooksFor, type ProjectHooks, useProject, useProjectSnapshot } from "./use-project.ts";
export type { IsEqual } from "./use-selected.ts";
