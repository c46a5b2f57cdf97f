/** Which projects exist: those that a source names, and those that have a visible workspace. */
export class ProjectList {
  readonly #compute: () => Iterable<string>;
  readonly #listeners = new Set<() => void>();
  #projects: readonly string[] = [];
  #known: ReadonlySet<string> = new Set();

  constructor(compute: () => Iterable<string>) {
    this.#compute = compute;
  }

  /** Sorted; the same array until it changes. */
  get all(): readonly string[] {
    return this.#projects;
  }

  has(projectId: string): boolean {
    return this.#known.has(projectId);
  }

  get listeners(): number {
    return this.#listeners.size;
  }

  /** Looks again, and tells when something came or went. */
  refresh(): void {
    const known = new Set(this.#compute());
    if (known.size === this.#known.size && [...known].every((id) => this.#known.has(id))) return;
    this.#known = known;
    this.#projects = Object.freeze([...known].sort());
    this.#tell();
  }

  /** The service stops: nothing changes any more, and whoever waits for a change is to look. */
  close(): void {
    this.#tell();
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  #tell(): void {
    for (const listener of [...this.#listeners]) listener();
  }
}
