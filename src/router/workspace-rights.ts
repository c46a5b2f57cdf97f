/** The right to something that belongs to a workspace: it is the right to the workspace's project. */
import { TRPCError } from "@trpc/server";
import { SnapwireError } from "../protocol/errors.ts";
import { type Action, EVERY_PROJECT } from "./identity.ts";
import type { ProcedureRoom } from "./procedures.ts";

/** What stands for the right to something whose project is not known: the right to everything. */
export function projectOrEvery(projectId: string | undefined): string {
  return projectId ?? EVERY_PROJECT;
}

/**
 * Asks for each project that `projectsOf` names, again as long as it names others: what is asked for may move meanwhile.
 * A refusal does not name the project: that is for those who may see it.
 */
export async function authorizeAll<Entry>(
  room: ProcedureRoom<Entry>,
  ctx: object,
  action: Action,
  what: string,
  projectsOf: () => readonly string[],
): Promise<void> {
  await room.authorize({ ctx, action });
  const asked = new Set<string>();
  for (;;) {
    const projectId = projectsOf().find((one) => !asked.has(one));
    if (projectId === undefined) return;
    if (!(await room.allowed({ ctx, action, projectId }))) {
      throw new TRPCError({ code: "FORBIDDEN", message: `This identity may not ${action} ${what}.` });
    }
    asked.add(projectId);
  }
}

/** @throws SnapwireError `unknown-workspace`, to whom may hear it. */
export function assertWorkspace<Entry>({ live }: ProcedureRoom<Entry>, workspaceId: string): void {
  if (live.workspaces.projectOf(workspaceId) !== undefined) return;
  throw new SnapwireError("unknown-workspace", `There is no workspace ${workspaceId}; introduce it first.`);
}
