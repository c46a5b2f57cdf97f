/** What writes come to, thought out once more: per field the last observation wins. Shares no code with the store. */

export interface Patch {
  readonly projectId?: string;
  readonly name?: string;
  readonly status?: "NEW" | "READY" | "ARCHIVED";
  readonly prNumber?: number | null;
}

export type Write =
  | { readonly kind: "patch"; readonly patch: Patch; readonly observedAt: number }
  | { readonly kind: "remove"; readonly observedAt: number };

export type Expected =
  | { readonly accepted: boolean; readonly changed: boolean }
  | { readonly refused: "project-required" };

/** The values that a workspace has, or null: it is gone. */
export type Values = Required<Patch> | null;

const FIELDS = ["projectId", "name", "status", "prNumber"] as const;

/** One workspace. */
export class ResultsModel {
  values: Values = null;
  #observed: Partial<Record<keyof Patch, number>> = {};
  /** The newest observation of the workspace that was taken, in any of its lives. */
  #seen = 0;
  /** The newest observation that it is gone. */
  #gone = 0;

  write(write: Write): Expected {
    return write.kind === "remove"
      ? this.#remove(write.observedAt)
      : this.#patch(write.patch, write.observedAt);
  }

  /** Its removal is so long ago that nobody has to remember it. */
  forget(): void {
    if (this.values === null) this.#seen = 0;
  }

  #remove(at: number): Expected {
    if (this.values === null) {
      this.#gone = Math.max(this.#gone, at);
      return { accepted: false, changed: false };
    }
    if (at < this.#seen) return { accepted: false, changed: false };
    this.values = null;
    this.#gone = Math.max(this.#gone, at);
    return { accepted: true, changed: true };
  }

  #patch(patch: Patch, at: number): Expected {
    const values = this.values;
    if (values === null) {
      if (at <= this.#gone) return { accepted: false, changed: false };
      if (patch.projectId === undefined) return { refused: "project-required" };
      this.values = { name: "", status: "NEW", prNumber: null, ...patch, projectId: patch.projectId };
      this.#observed = Object.fromEntries(Object.keys(patch).map((field) => [field, at]));
      this.#seen = Math.max(this.#seen, at);
      return { accepted: true, changed: true };
    }
    const taken = FIELDS.filter((field) => field in patch && at >= (this.#observed[field] ?? 0));
    const changed = taken.filter((field) => values[field] !== patch[field]);
    for (const field of taken) this.#observed[field] = at;
    if (taken.length > 0) this.#seen = Math.max(this.#seen, at);
    this.values = { ...values, ...Object.fromEntries(taken.map((field) => [field, patch[field]])) };
    return { accepted: taken.length > 0, changed: changed.length > 0 };
  }
}
