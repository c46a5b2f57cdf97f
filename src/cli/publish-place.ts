/** Where a workspace is before something is published of it, and what it means to publish it into a project. */
import { TRPCClientError } from "@trpc/client";
import { usageFailure } from "./exit-codes.ts";
import { knownProjects } from "./project-names.ts";
import type { createRemote } from "./remote.ts";
import { safeText } from "./safe-text.ts";

export interface Place {
  /** The project that the workspace is in; undefined when it is in none that may be seen. */
  readonly project: string | undefined;
  /** All that may be seen; undefined when none may, and nothing can be said. */
  readonly projects: readonly string[] | undefined;
}

/** Looked at just before it is published: what somebody else does in between is not seen. */
export async function placeOf(
  { snapshots }: ReturnType<typeof createRemote>,
  workspaceId: string,
): Promise<Place> {
  try {
    const [found, { projects }] = await Promise.all([
      snapshots.byWorkspace.query({ workspaceId }),
      snapshots.projects.query(),
    ]);
    return { project: found?.entry.projectId, projects };
  } catch (error) {
    // Who may write and not read goes without: whether it is allowed is the server's to say.
    if (error instanceof TRPCClientError && error.data?.code === "FORBIDDEN")
      return { project: undefined, projects: undefined };
    throw error;
  }
}

/** One that is new has to be told where it belongs. @throws {@link CliFailure} */
export function refuseNowhere(workspaceId: string, { project, projects }: Place): void {
  if (project !== undefined || projects === undefined) return;
  throw usageFailure(
    `No workspace ${safeText(workspaceId)} is known; nothing was set. For a new one say its project: ` +
      `--project <id> (or SNAPWIRE_PROJECT).${knownProjects(undefined, projects)}`,
  );
}

/** A mistyped project would take a workspace away from where people look for it. @throws {@link CliFailure} */
export function refuseUnaskedMove(workspaceId: string, target: string, place: Place): void {
  const { project } = place;
  if (project === undefined || project === target) return;
  const id = safeText(workspaceId);
  throw usageFailure(
    `${id} is in the project ${safeText(project)}, not in ${safeText(target)}; nothing was set. Write --project ` +
      `${safeText(project)}, or --move to move it to ${safeText(target)}.${newness(target, place)}`,
  );
}

/** Undefined where the project is known, or nothing is. */
export function newProject(target: string, place: Place): string | undefined {
  const said = newness(target, place).trim();
  return said === "" ? undefined : said;
}

/** Nothing of the very first project: it can be no other one's name, mistyped. */
function newness(target: string, { projects = [] }: Place): string {
  if (projects.length === 0 || projects.includes(target)) return "";
  return ` The project ${safeText(target)} is new: no other workspace is in it.${knownProjects(target, projects)}`;
}
