/** Waiting for a view that says how a project is. */
import type { LiveProject } from "../live-projects.ts";
import { isOver, isSettled, type ProjectView } from "../project-view.ts";
import type { ReplicaEntry } from "../replica-state.ts";

/**
 * Resolves with the first view that is settled or over; after `patienceMs`, with what there is. Watches the project
 * meanwhile.
 * @throws The reason of the signal.
 */
export function firstView<Entry extends ReplicaEntry>(
  project: LiveProject<Entry>,
  signal: AbortSignal | undefined,
  patienceMs: number | undefined,
): Promise<ProjectView<Entry>> {
  return new Promise((resolve, reject) => {
    const leave = project.subscribe(() => look());
    const timer = patienceMs === undefined ? undefined : setTimeout(() => finish(), patienceMs);
    const leaveAll = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", onAbort);
      leave();
    };
    const onAbort = (): void => {
      leaveAll();
      reject(signal?.reason);
    };
    const finish = (): void => {
      const view = project.getSnapshot(); // whoever leaves last may close it
      leaveAll();
      resolve(view);
    };
    const look = (): void => {
      const { status } = project.getSnapshot();
      if (isSettled(status) || isOver(status)) finish();
    };
    signal?.addEventListener("abort", onAbort);
    if (signal?.aborted) onAbort();
    else look();
  });
}
