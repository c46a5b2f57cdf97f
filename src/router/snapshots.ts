/** `snapshots`: the materialised state of a project's workspaces, asked for, watched, and written. */
import { TRPCError } from "@trpc/server";
import { z } from "zod";
import { SnapwireError } from "../protocol/errors.ts";
import { formatPosition, parsePosition } from "../protocol/position.ts";
import { OtherProject } from "../snapshots/other-project.ts";
import type { UpsertOptions } from "../snapshots/store.ts";
import type { Snapwire } from "../snapwire.ts";
import { answering } from "./errors.ts";
import { id, lastEventId, observedAt, reading, source } from "./input.ts";
import { visibleProjects, watchProjects } from "./on-projects.ts";
import type { ProcedureRoom, SnapshotProcedures } from "./procedures.ts";
import { stillAllowed } from "./rights.ts";
import { assertServing, watchFeed } from "./watch-feed.ts";

const onProjectInput = reading(z.object({ projectId: id, lastEventId }));
const onProjectsInput = reading(z.object({ lastEventId }).nullish());
const byProjectInput = reading(z.object({ projectId: id, atLeast: z.string().optional() }));
const byWorkspaceInput = reading(z.object({ workspaceId: id }));
const upsertInput = reading(
  z.looseObject({
    workspaceId: id,
    projectId: id.optional(),
    observedAt,
    source,
    expectedProjectId: id.optional(),
  }),
);
const removeInput = reading(z.object({ workspaceId: id, observedAt, source }));

const AT_LEAST_WAIT_MS = 10_000;
/** Callers own together what they publish, whatever they call themselves: no source's pass finds it gone. */
const OWNER = "api";

export function snapshotProcedures<Entry>(room: ProcedureRoom<Entry>): SnapshotProcedures<Entry> {
  const { live, procedure, authorize } = room;

  const onProject = procedure
    .input(onProjectInput)
    .use(async ({ ctx, input, next }) => {
      await authorize({ ctx, action: "read", projectId: input.projectId });
      await room.assertSameTRPC();
      await answering(() => assertServing(live));
      return next();
    })
    .subscription(({ ctx, input: { projectId, lastEventId }, signal }) =>
      watchFeed(room, {
        ctx,
        signal,
        feed: live.feed,
        scope: projectId,
        lastEventId,
        allowed: () => stillAllowed(room, ctx, { projectId }),
      }),
    );

  const onProjects = procedure
    .input(onProjectsInput)
    .use(async ({ ctx, next }) => {
      await authorize({ ctx, action: "read" });
      await room.assertSameTRPC();
      await answering(() => assertServing(live));
      return next();
    })
    .subscription(({ ctx, signal }) => watchProjects(room, ctx, signal));

  const projects = procedure.query(async ({ ctx }) => {
    await authorize({ ctx, action: "read" });
    await answering(() => assertServing(live));
    return { projects: await visibleProjects(room, ctx) };
  });

  const byProject = procedure.input(byProjectInput).query(async ({ ctx, input: { projectId, atLeast } }) => {
    await authorize({ ctx, action: "read", projectId });
    return answering(async () => {
      assertServing(live);
      if (atLeast !== undefined) await reach(live, projectId, atLeast);
      const { collection } = live.workspaces;
      return {
        position: formatPosition(collection.tagOf(projectId), collection.head),
        entries: live.workspaces.getByProjectId(projectId),
        complete: live.complete(projectId),
      };
    });
  });

  const byWorkspace = procedure.input(byWorkspaceInput).query(async ({ ctx, input: { workspaceId } }) => {
    await authorize({ ctx, action: "read" });
    await answering(() => assertServing(live));
    const projectId = live.workspaces.projectOf(workspaceId);
    const entry = live.workspaces.getByWorkspaceId(workspaceId);
    // Without the right to its project, a workspace is as good as not there.
    if (
      projectId === undefined ||
      entry === undefined ||
      !(await room.allowed({ ctx, action: "read", projectId }))
    ) {
      return null;
    }
    const { collection } = live.workspaces;
    return { position: formatPosition(collection.tagOf(projectId), collection.head), entry };
  });

  const upsert = procedure.input(upsertInput).mutation(async ({ ctx, input }) => {
    const { workspaceId, observedAt: at, source: from, expectedProjectId, ...patch } = input;
    await authorizeWrite(room, ctx, workspaceId, patch.projectId);
    const options = {
      ...writeOptions(at, from),
      ...(expectedProjectId !== undefined && { expectedProjectId }),
    };
    return answering(async () => {
      try {
        return await live.workspaces.upsert(workspaceId, patch, options);
      } catch (error) {
        // It may have moved since the right to write it was asked for: where to is for who may write there.
        if (error instanceof OtherProject) await authorizeWriteIn(room, ctx, workspaceId, error.projectId);
        throw error;
      }
    });
  });

  const remove = procedure.input(removeInput).mutation(async ({ ctx, input }) => {
    await authorizeWrite(room, ctx, input.workspaceId, undefined);
    return answering(() =>
      live.workspaces.remove(input.workspaceId, writeOptions(input.observedAt, input.source)),
    );
  });

  return {
    onProject,
    onProjects,
    projects,
    byProject,
    byWorkspace,
    upsert,
    remove,
  } as unknown as SnapshotProcedures<Entry>;
}

/**
 * The right to write where a patch puts the workspace, and where it is; asked again when it moved meanwhile. A refusal
 * does not say where it is: that is for those who may see it.
 */
async function authorizeWrite<Entry>(
  room: ProcedureRoom<Entry>,
  ctx: object,
  workspaceId: string,
  target: string | undefined,
): Promise<void> {
  const asked = new Set([target]);
  await room.authorize({ ctx, action: "write", ...(target === undefined ? {} : { projectId: target }) });
  for (;;) {
    const projectId = room.live.workspaces.projectOf(workspaceId);
    if (projectId === undefined || asked.has(projectId)) return;
    await authorizeWriteIn(room, ctx, workspaceId, projectId);
    asked.add(projectId);
  }
}

async function authorizeWriteIn<Entry>(
  room: ProcedureRoom<Entry>,
  ctx: object,
  workspaceId: string,
  projectId: string,
): Promise<void> {
  if (await room.allowed({ ctx, action: "write", projectId })) return;
  throw new TRPCError({
    code: "FORBIDDEN",
    message: `This identity may not write workspace ${workspaceId}.`,
  });
}

function writeOptions(at: number | undefined, from: string | undefined): UpsertOptions {
  return {
    owner: OWNER,
    ...(at === undefined ? {} : { observedAt: at }),
    ...(from === undefined ? {} : { source: from }),
  };
}

/** Read your own write: waits until this node has applied the position that a write answered. */
async function reach<Entry>(live: Snapwire<Entry>, projectId: string, atLeast: string): Promise<void> {
  const { collection } = live.workspaces;
  const position = parsePosition(atLeast);
  if (!position) {
    throw new SnapwireError("invalid-input", "atLeast must be a position that a write or a frame answered.");
  }
  if (position.tag !== collection.tagOf(projectId)) return; // another life of the order: there is nothing to wait for
  const signal = AbortSignal.timeout(AT_LEAST_WAIT_MS);
  await collection.applied(position.sequence, signal).catch((cause: unknown) => {
    throw new SnapwireError("behind", "This node has not caught up with that position yet; try again.", {
      cause,
    });
  });
}
