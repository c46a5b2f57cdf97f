/** A client's knowledge of one project, by rule 14, written without a look at the client. */
import type { SnapshotFrame, TrackedFrame } from "../../src/protocol/frames.ts";
import type { WorkspaceEntry } from "../../src/protocol/workspace.ts";

export interface Place {
  readonly tag: string;
  readonly sequence: number;
  readonly kind: string | undefined;
}

/** Reads an id the plain way: three parts between dots. */
export function placeOf(id: string): Place {
  const [tag = "", sequence = "", kind] = id.split(".");
  return { tag, sequence: Number(sequence), kind };
}

export class Replica {
  readonly entries: Map<string, WorkspaceEntry>;
  place: Place | undefined;
  /**
   * The furthest head from which it was served: what changed up to there is not told at its older sequence any more. No
   * client knows this; a test has to.
   */
  servedFrom: number;

  constructor(entries: Iterable<readonly [string, WorkspaceEntry]> = [], place?: Place, servedFrom = 0) {
    this.entries = new Map(entries);
    this.place = place;
    this.servedFrom = servedFrom;
  }

  copy(): Replica {
    return new Replica(this.entries, this.place, this.servedFrom);
  }

  /** Where it would resume from. */
  get position(): string | undefined {
    return this.place && `${this.place.tag}.${this.place.sequence}`;
  }

  /** @returns false when the frame was old news. */
  apply({ id, data }: TrackedFrame<SnapshotFrame>): boolean {
    const at = placeOf(id);
    const same = this.place?.tag === at.tag;
    const behind = same && at.sequence < (this.place?.sequence ?? 0);
    switch (data.type) {
      case "snapshot_full":
        if (behind && data.reason !== "ahead") return false;
        this.entries.clear();
        for (const entry of data.entries) this.entries.set(entry.workspaceId, entry);
        this.place = at;
        this.servedFrom = at.sequence;
        return true;
      case "snapshot_changed":
      case "snapshot_removed":
        if (!same) throw new Error(`a delta of another order: ${id} over ${this.position}`);
        if (at.sequence <= (this.place?.sequence ?? 0)) return false;
        if (data.type === "snapshot_changed") this.entries.set(data.workspaceId, data.entry);
        else this.entries.delete(data.workspaceId);
        this.place = at;
        return true;
      case "snapshot_resumed":
        if (!same) throw new Error(`resumed in another order: ${id} over ${this.position}`);
        return true;
      case "snapshot_progress":
        if (same && !behind) this.place = at;
        return true;
      case "snapshot_status":
      case "snapshot_ended":
        return true;
    }
  }
}
