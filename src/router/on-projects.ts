/** `snapshots.onProjects`: the whole list of projects that the caller may see, each time it changes. */
import { randomUUID } from "node:crypto";
import { positionTag } from "../collection/tag.ts";
import { formatPosition } from "../protocol/position.ts";
import type { ProcedureRoom, ProjectsFrame } from "./procedures.ts";

/** The list has no history: a resume simply gets it whole, so the ids need only be fresh. */
const TAG = positionTag(randomUUID(), "projects", "projects", "");
let told = 0;

export async function* watchProjects<Entry>(
  room: ProcedureRoom<Entry>,
  ctx: object,
  signal: AbortSignal | undefined,
) {
  let changed = true;
  let wake: (() => void) | undefined;
  const look = (): void => {
    changed = true;
    wake?.();
  };
  const off = room.live.projects.onChange(look);
  signal?.addEventListener("abort", look, { once: true });
  const connection = room.connection(ctx);
  let shown: string | undefined;
  try {
    while (!signal?.aborted && room.live.serving()) {
      if (!changed) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
        continue;
      }
      changed = false;
      const projects = await visibleProjects(room, ctx);
      const shows = JSON.stringify(projects);
      if (shows === shown) continue;
      shown = shows;
      for (let noRoom = connection?.claim(); noRoom; noRoom = connection?.claim()) await noRoom;
      try {
        const frame: ProjectsFrame = { type: "projects", projects };
        yield room.tracked(formatPosition(TAG, ++told), frame);
      } finally {
        connection?.release();
      }
    }
  } finally {
    off();
    signal?.removeEventListener("abort", look);
  }
}

export async function visibleProjects<Entry>(
  room: ProcedureRoom<Entry>,
  ctx: object,
): Promise<readonly string[]> {
  const visible: string[] = [];
  for (const projectId of room.live.projects.all) {
    if (await room.allowed({ ctx, action: "read", projectId })) visible.push(projectId);
  }
  return visible;
}
