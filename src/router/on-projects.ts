/**
 * `snapshots.onProjects`: the whole list of projects that the caller may see, each time it changes. One whose rights are
 * revoked gets an empty list, and the end.
 */
import { randomUUID } from "node:crypto";
import { positionTag } from "../collection/tag.ts";
import { formatPosition } from "../protocol/position.ts";
import { answering } from "./errors.ts";
import type { ProcedureRoom, ProjectsFrame } from "./procedures.ts";
import { stillAllowed } from "./rights.ts";

/** The list has no history: a resume simply gets it whole, so the ids need only be fresh. */
const TAG = positionTag(randomUUID(), "projects", "projects", "");
let told = 0;

export async function* watchProjects<Entry>(
  room: ProcedureRoom<Entry>,
  ctx: object,
  signal: AbortSignal | undefined,
) {
  const { live } = room;
  const connection = await answering(() => room.connection(ctx));
  let changed = true;
  let revoked = false;
  let wake: (() => void) | undefined;
  const look = (): void => {
    changed = true;
    wake?.();
  };
  const off = live.projects.onChange(look);
  signal?.addEventListener("abort", look, { once: true });
  const unwatch = room.rights.watch({
    allowed: async () => {
      const allowed = await stillAllowed(room, ctx);
      if (allowed) look(); // the right to one of the projects may have come or gone
      return allowed;
    },
    revoke: () => {
      revoked = true;
      look();
    },
  });
  let shown: string | undefined;
  try {
    while (!signal?.aborted && live.serving()) {
      if (!changed) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
        continue;
      }
      changed = false;
      const isLast = revoked;
      const projects = isLast ? [] : await listOf(room, ctx, shown !== undefined);
      const shows = projects && JSON.stringify(projects);
      if (projects && shows !== shown) {
        shown = shows;
        for (let noRoom = connection?.claim(); noRoom; noRoom = connection?.claim()) await noRoom;
        try {
          const frame: ProjectsFrame = { type: "projects", projects };
          yield room.tracked(formatPosition(TAG, ++told), frame);
        } finally {
          connection?.release();
        }
      }
      if (isLast) return;
    }
  } finally {
    off();
    unwatch();
    signal?.removeEventListener("abort", look);
  }
}

/** What is shown stays when the rights cannot be looked at now; the sweep looks again. */
async function listOf<Entry>(
  room: ProcedureRoom<Entry>,
  ctx: object,
  recheck: boolean,
): Promise<readonly string[] | undefined> {
  try {
    return await visibleProjects(room, ctx, recheck);
  } catch (error) {
    if (!recheck) throw error;
    return undefined;
  }
}

export async function visibleProjects<Entry>(
  room: ProcedureRoom<Entry>,
  ctx: object,
  recheck = false,
): Promise<readonly string[]> {
  const visible: string[] = [];
  for (const projectId of room.live.projects.all) {
    const allowed = recheck
      ? await stillAllowed(room, ctx, { projectId })
      : await room.allowed({ ctx, action: "read", projectId });
    if (allowed) visible.push(projectId);
  }
  return visible;
}
