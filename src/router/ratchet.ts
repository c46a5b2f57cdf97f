/** `ratchet`: whether the fixer of a workspace's pull request is on, and how it does. Every change goes at once. */
import type { TRPCMutationProcedure } from "@trpc/server";
import { z } from "zod";
import {
  RATCHET_DISPATCH_OUTCOMES,
  RATCHET_STATES,
  type RatchetDispatchOutcome,
  type RatchetState,
} from "../protocol/workspace.ts";
import type { Submitted } from "../sources/collector.ts";
import { answering } from "./errors.ts";
import { id, observedAt, reading } from "./input.ts";
import type { ProcedureRoom, Shape } from "./procedures.ts";
import { assertServing } from "./watch-feed.ts";
import { assertWorkspace, authorizeAll, projectOrEvery } from "./workspace-rights.ts";

export interface RatchetUpdateInput {
  readonly workspaceId: string;
  readonly enabled?: boolean | undefined;
  readonly state?: RatchetState | undefined;
  /** Null: nothing is dispatched. */
  readonly dispatchOutcome?: RatchetDispatchOutcome | null | undefined;
  readonly retryCount?: number | undefined;
  readonly stalled?: boolean | undefined;
  /** When the observation began, in milliseconds since 1970. @defaultValue now */
  readonly observedAt?: number | undefined;
}

export type RatchetProcedures = {
  update: TRPCMutationProcedure<Shape<RatchetUpdateInput, Submitted>>;
};

const updateInput = reading(
  z.strictObject({
    workspaceId: id,
    enabled: z.boolean().optional(),
    state: z.enum(RATCHET_STATES).optional(),
    dispatchOutcome: z.enum(RATCHET_DISPATCH_OUTCOMES).nullish(),
    retryCount: z.int().min(0).optional(),
    stalled: z.boolean().optional(),
    observedAt,
  }),
);

export function ratchetProcedures<Entry>(room: ProcedureRoom<Entry>): RatchetProcedures {
  const { live, procedure } = room;
  const update = procedure.input(updateInput).mutation(async ({ ctx, input }) => {
    const { workspaceId, observedAt: seenAt, enabled, state, dispatchOutcome, retryCount, stalled } = input;
    await authorizeAll(room, ctx, "write", `workspace ${workspaceId}`, () => [
      projectOrEvery(live.workspaces.projectOf(workspaceId)),
    ]);
    return answering(() => {
      assertServing(live);
      assertWorkspace(room, workspaceId);
      return live.collector.submit({
        workspaceId,
        patch: {
          ratchetEnabled: enabled,
          ratchetState: state,
          ratchetDispatchOutcome: dispatchOutcome,
          ratchetDispatchRetryCount: retryCount,
          ratchetDispatchStalled: stalled,
        },
        source: "ratchet",
        ...(seenAt === undefined ? {} : { observedAt: seenAt }),
      });
    });
  });
  return { update } as unknown as RatchetProcedures;
}
