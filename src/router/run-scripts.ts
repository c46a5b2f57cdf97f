/** `runScripts`: how the run script of a workspace does. */
import type { TRPCMutationProcedure } from "@trpc/server";
import { z } from "zod";
import { RUN_SCRIPT_STATUSES, type RunScriptStatus } from "../protocol/workspace.ts";
import type { Submitted } from "../sources/collector.ts";
import { answering } from "./errors.ts";
import { id, observedAt, reading } from "./input.ts";
import type { ProcedureRoom, Shape } from "./procedures.ts";
import { assertServing } from "./watch-feed.ts";
import { assertWorkspace, authorizeAll, projectOrEvery } from "./workspace-rights.ts";

export type RunScriptProcedures = {
  update: TRPCMutationProcedure<
    Shape<{ workspaceId: string; status: RunScriptStatus; observedAt?: number | undefined }, Submitted>
  >;
};

const updateInput = reading(
  z.strictObject({ workspaceId: id, status: z.enum(RUN_SCRIPT_STATUSES), observedAt }),
);

export function runScriptProcedures<Entry>(room: ProcedureRoom<Entry>): RunScriptProcedures {
  const { live, procedure } = room;
  const update = procedure.input(updateInput).mutation(async ({ ctx, input }) => {
    const { workspaceId, status, observedAt: seenAt } = input;
    await authorizeAll(room, ctx, "write", `workspace ${workspaceId}`, () => [
      projectOrEvery(live.workspaces.projectOf(workspaceId)),
    ]);
    return answering(() => {
      assertServing(live);
      assertWorkspace(room, workspaceId);
      // Chatter: several in a row are one change. The answer comes when it is written, so that it is true.
      return live.collector.submit({
        workspaceId,
        patch: { runScriptStatus: status },
        source: "run-script",
        urgency: "chatter",
        ...(seenAt === undefined ? {} : { observedAt: seenAt }),
      });
    });
  });
  return { update } as unknown as RunScriptProcedures;
}
