/** Which projects cannot be observed at the moment, by whose word, and since when. */
export interface ProjectFreshness {
  readonly fresh: boolean;
  readonly reason?: string;
  /** RFC 3339. */
  readonly since: string;
}

/** Stands for every project: the journal speaks for all of them. */
const ALL = "*";

export class FreshnessBoard {
  readonly #now: () => number;
  readonly #onChange: () => void;
  /** By project, then by who says so. Only what is stale, and the last return to fresh. */
  readonly #stale = new Map<string, Map<string, string>>();
  readonly #shown = new Map<string, ProjectFreshness>();

  constructor(options: { now: () => number; onChange: () => void }) {
    this.#now = options.now;
    this.#onChange = options.onChange;
  }

  set(projectId: string, speaker: string, fresh: boolean, reason = "unavailable"): void {
    const speakers = this.#stale.get(projectId) ?? new Map<string, string>();
    if (fresh ? !speakers.has(speaker) : speakers.get(speaker) === reason) return;
    if (fresh) speakers.delete(speaker);
    else speakers.set(speaker, reason);
    if (speakers.size > 0) this.#stale.set(projectId, speakers);
    else this.#stale.delete(projectId);
    const [first] = speakers.values();
    const since = new Date(this.#now()).toISOString();
    this.#shown.set(
      projectId,
      first === undefined ? { fresh: true, since } : { fresh: false, reason: first, since },
    );
    this.#onChange();
  }

  setAll(speaker: string, fresh: boolean, reason?: string): void {
    this.set(ALL, speaker, fresh, reason);
  }

  /** The same object until it changes; `undefined` when nothing has ever been wrong. */
  of(projectId: string): ProjectFreshness | undefined {
    const all = this.#shown.get(ALL);
    if (all?.fresh === false) return all;
    const own = this.#shown.get(projectId);
    return own && (!all || !own.fresh || own.since >= all.since) ? own : all;
  }

  get staleProjects(): readonly string[] {
    return [...this.#stale.keys()];
  }
}
