/** `runScripts`: what a script prints, told by who runs it and read live; and which workspace a folder is in. */
import type { TRPCMutationProcedure, TRPCQueryProcedure, TRPCSubscriptionProcedure } from "@trpc/server";
import { z } from "zod";
import type { TrackedFrame } from "../protocol/frames.ts";
import { formatPosition, parsePosition } from "../protocol/position.ts";
import type { RunOutputFrame } from "../protocol/run-output.ts";
import { cursorOf, NO_RUN_TAG, nextFrame, type OutputCursor } from "../run-output/frames.ts";
import { MAX_REPORT, type OutputReport } from "../run-output/run-outputs.ts";
import { answering } from "./errors.ts";
import { id, lastEventId, reading } from "./input.ts";
import type { ProcedureRoom, Shape } from "./procedures.ts";
import { stillAllowed } from "./rights.ts";
import { assertServing } from "./watch-feed.ts";
import { assertWorkspace, authorizeAll, projectOrEvery } from "./workspace-rights.ts";

interface OnOutputInput {
  workspaceId: string;
  /** @defaultValue `run` */
  name?: string | undefined;
  lastEventId?: string | null | undefined;
}

/** A type, not an interface: only a type fits the index signature of a router's record. */
export type RunOutputProcedures = {
  onOutput: TRPCSubscriptionProcedure<
    Shape<OnOutputInput, AsyncIterable<TrackedFrame<RunOutputFrame>, void, unknown>>
  >;
  output: TRPCMutationProcedure<
    Shape<Omit<OutputReport, "name"> & { name?: string | undefined }, { until: number }>
  >;
  at: TRPCQueryProcedure<Shape<{ path: string }, { workspaceId: string } | null>>;
};

const DEFAULT_NAME = "run";
const name = z
  .string()
  .min(1)
  .max(100)
  .regex(/^[^\n\r]*$/, "one line")
  .default(DEFAULT_NAME);

const onOutputInput = reading(z.object({ workspaceId: id, name, lastEventId }));
const outputInput = reading(
  z.strictObject({
    workspaceId: id,
    name,
    run: z.string().min(1).max(100),
    from: z.int().min(0),
    text: z.string().max(MAX_REPORT),
  }),
);
const atInput = reading(z.strictObject({ path: z.string().min(1).max(4_096) }));

export function runOutputProcedures<Entry>(room: ProcedureRoom<Entry>): RunOutputProcedures {
  const { live, procedure } = room;
  const projectOf = (workspaceId: string): string => projectOrEvery(live.workspaces.projectOf(workspaceId));

  const onOutput = procedure
    .input(onOutputInput)
    .use(async ({ ctx, input: { workspaceId }, next }) => {
      await authorizeAll(room, ctx, "read", `workspace ${workspaceId}`, () => [projectOf(workspaceId)]);
      await room.assertSameTRPC();
      await answering(() => assertServing(live));
      return next();
    })
    .subscription(({ ctx, input, signal }) => watchOutput(room, ctx, input, signal));

  const output = procedure.input(outputInput).mutation(async ({ ctx, input }) => {
    const { workspaceId } = input;
    await authorizeAll(room, ctx, "write", `workspace ${workspaceId}`, () => [projectOf(workspaceId)]);
    return answering(() => {
      assertServing(live);
      assertWorkspace(room, workspaceId);
      return live.runOutputs.append(input);
    });
  });

  const at = procedure.input(atInput).query(async ({ ctx, input: { path } }) => {
    await room.authorize({ ctx, action: "read" });
    const workspaceId = await answering(() => {
      assertServing(live);
      return live.workspaceAt(path);
    });
    if (workspaceId === undefined) return null;
    // Without the right to its project, a workspace is as good as not there.
    return (await room.allowed({ ctx, action: "read", projectId: projectOf(workspaceId) }))
      ? { workspaceId }
      : null;
  });

  return { onOutput, output, at } as unknown as RunOutputProcedures;
}

async function* watchOutput<Entry>(
  room: ProcedureRoom<Entry>,
  ctx: object,
  asked: {
    readonly workspaceId: string;
    readonly name: string;
    readonly lastEventId?: string | null | undefined;
  },
  signal: AbortSignal | undefined,
) {
  const { live } = room;
  const { workspaceId, name, lastEventId } = asked;
  const connection = await answering(() => room.connection(ctx));
  let wake: (() => void) | undefined;
  let revoked = false;
  const unlisten = live.runOutputs.listen(workspaceId, name, () => wake?.());
  const stir = (): void => wake?.();
  signal?.addEventListener("abort", stir);
  const unwatch = room.rights.watch({
    allowed: () =>
      stillAllowed(room, ctx, { projectId: projectOrEvery(live.workspaces.projectOf(workspaceId)) }),
    revoke: () => {
      revoked = true;
      wake?.();
    },
  });
  let holdsRoom = false;
  try {
    const from = lastEventId == null ? undefined : parsePosition(lastEventId);
    let cursor: OutputCursor | undefined = from && cursorOf(from);
    let first: "first" | "invalid" = lastEventId == null || from ? "first" : "invalid";
    while (!signal?.aborted && live.serving()) {
      const noRoom = connection?.claim();
      if (noRoom) {
        await new Promise<void>((resolve) => {
          // Whoever leaves does not wait for room; news while there is none wake nobody.
          wake = () => signal?.aborted && resolve();
          noRoom.then(resolve, resolve);
        });
        wake = undefined;
        continue;
      }
      holdsRoom = connection !== undefined;
      const told = revoked
        ? undefined
        : nextFrame(live.runOutputs.of(workspaceId, name), cursor, { workspaceId, name }, first);
      if (revoked) {
        const { tag, at } = cursor ?? { tag: NO_RUN_TAG, at: 0 };
        const frame: RunOutputFrame = { type: "output_ended", reason: "revoked" };
        yield room.tracked(formatPosition(tag, at, "e"), frame);
        return;
      }
      if (told) {
        ({ cursor } = told);
        first = "first";
        yield room.tracked(told.id, told.frame);
      }
      if (holdsRoom) connection?.release();
      holdsRoom = false;
      if (told) continue;
      await new Promise<void>((resolve) => {
        wake = resolve;
        // What came between the look and this wait.
        if (revoked || signal?.aborted || !live.serving()) resolve();
      });
      wake = undefined;
    }
  } finally {
    if (holdsRoom) connection?.release();
    unwatch();
    unlisten();
    signal?.removeEventListener("abort", stir);
  }
}
