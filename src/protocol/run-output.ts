/** The frames of `runScripts.onOutput`. */

/** Why the tail is told anew: what was told before it is not continued by it. */
type OutputTailReason =
  /** The first frame of a new subscription. */
  | "first"
  /** The script was started again. */
  | "new-run"
  /** More was printed than is kept since the subscriber last took something. */
  | "trimmed"
  /** The position was none of ours. */
  | "invalid";

export type RunOutputFrame =
  | {
      readonly type: "output_tail";
      readonly workspaceId: string;
      readonly name: string;
      /** Names the run; null before the first. */
      readonly run: string | null;
      readonly reason: OutputTailReason;
      readonly text: string;
      /** Something stood before it. */
      readonly cut: boolean;
    }
  /** Follows what was told before. */
  | { readonly type: "output"; readonly text: string }
  | { readonly type: "output_ended"; readonly reason: "revoked" };
