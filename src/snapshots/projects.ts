/** Which projects exist: those that a source names, and those that have a visible workspace. */
export class ProjectList {
  readonly #compute: () => Iterable<string>;
  readonly #listeners = new Set<() => void>();
  #projects: readonly string[] = [];

  constructor(compute: () => Iterable<string>) {
    this.#compute = compute;
  }

  /** Sorted; the same array until it changes. */
  get all(): readonly string[] {
    return this.#projects;
  }

  get listeners(): number {
    return this.#listeners.size;
  }

  /** Looks again, and tells when something came or went. */
  refresh(): void {
    const projects = [...new Set(this.#compute())].sort();
    if (
      projects.length === this.#projects.length &&
      projects.every((id, index) => id === this.#projects[index])
    )
      return;
    this.#projects = Object.freeze(projects);
    for (const listener of [...this.#listeners]) listener();
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }
}
