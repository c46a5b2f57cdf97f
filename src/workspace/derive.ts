/**
 * Raw fields in, the derived part of the entry out: pure, no clock, the same for every path that shows an entry.
 *
 * The tables are total, and a test holds them against an independent reading for every combination of their inputs.
 * Derived output is never stored and never read as input: what latches once latches for ever.
 */
import type { DerivedWorkspaceState } from "../protocol/workspace.ts";
import {
  deriveFlowPhase,
  deriveSidebarStatus,
  type FlowInputs,
  observeCi,
  type SidebarInputs,
} from "./pull-request.ts";
import {
  COLUMN_OF_REASON,
  deriveReasonCode,
  STATUS_REASONS,
  type StatusReasonInputs,
} from "./status-reason.ts";

/** The fields that the tables read: a part of `WorkspaceFields`, so a whole one fits too. */
export type RawWorkspaceState = FlowInputs & SidebarInputs & StatusReasonInputs;

/** Derives what a card shows. `statusReason` and `sidebarStatus` are shared frozen constants. */
export function deriveWorkspaceState(raw: RawWorkspaceState): DerivedWorkspaceState {
  const ciObservation = observeCi(raw.prCiStatus);
  const flowPhase = deriveFlowPhase(raw, ciObservation);
  const code = deriveReasonCode(raw, flowPhase, ciObservation);
  return {
    sidebarStatus: deriveSidebarStatus(raw),
    kanbanColumn: COLUMN_OF_REASON[code],
    flowPhase,
    ciObservation,
    ratchetButtonAnimated: flowPhase === "CI_WAIT" && raw.ratchetEnabled,
    statusReason: STATUS_REASONS[code],
  };
}
