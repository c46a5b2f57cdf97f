/** Where a workspace is seen before something is published of it, and what the server's refusals about its place mean. */
import { TRPCClientError } from "@trpc/client";
import type { SnapwireRouter } from "../router/index.ts";
import { type CliFailure, usageFailure } from "./exit-codes.ts";
import { knownProjects } from "./project-names.ts";
import type { createRemote } from "./remote.ts";
import { safeText } from "./safe-text.ts";

/** What may be seen. Who is hidden is not: only the server knows where a workspace is, and only while it writes. */
export interface Seen {
  /** The project that shows the workspace; undefined when none does. */
  readonly project: string | undefined;
  /** Undefined when nothing may be seen, and nothing can be said. */
  readonly projects: readonly string[] | undefined;
}

export async function seenBefore(
  { snapshots }: ReturnType<typeof createRemote>,
  workspaceId: string,
): Promise<Seen> {
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

/**
 * A new workspace has to be told where it belongs, and a mistyped project would take one away from where people look for
 * it. Undefined: the refusal is about something else.
 */
export function placeFailure(
  error: unknown,
  { workspaceId, target, seen }: { workspaceId: string; target: string | undefined; seen: Seen },
): CliFailure | undefined {
  if (!(error instanceof TRPCClientError)) return undefined;
  const { data, message } = error as TRPCClientError<SnapwireRouter>;
  const id = safeText(workspaceId);
  if (data?.reason === "project-required" && target === undefined) {
    const known = seen.projects === undefined ? "" : knownProjects(undefined, seen.projects);
    return usageFailure(
      `No workspace ${id} is known; nothing was set. For a new one say its project: --project <id> (or SNAPWIRE_PROJECT).${known}`,
    );
  }
  if (data?.reason === "other-project" && target !== undefined) {
    const strange = unseenProject(target, seen);
    return usageFailure(
      `${id}: ${safeText(message)} Say that one with --project, or write --move to move it to ${safeText(target)}.` +
        (strange === undefined ? "" : ` ${strange}`),
    );
  }
  return undefined;
}

/** What is to be said of a project that showed nothing. Nothing of the very first one: it can be no other one's name, mistyped. */
export function unseenProject(target: string, { projects = [] }: Seen): string | undefined {
  if (projects.length === 0 || projects.includes(target)) return undefined;
  return `No workspace was to be seen in the project ${safeText(target)} before.${knownProjects(target, projects)}`;
}
