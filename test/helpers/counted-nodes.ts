/** Counts how often the nodes of a view are looked at: cost in steps, without a clock and without a hook in the code. */
import type { ScopeView, ViewNode } from "../../src/collection/scope-view.ts";

export class CountedNodes {
  steps = 0;
  readonly #counted = new WeakSet<object>();

  /** Counts the nodes of these keys from here on. */
  watch<Entry>(view: ScopeView<Entry>, keys: Iterable<string>): void {
    for (const key of keys) {
      const node = view.node(key);
      if (node) this.#count(node);
    }
  }

  /** How many steps the work takes. */
  during(work: () => void): number {
    const before = this.steps;
    work();
    return this.steps - before;
  }

  #count(node: ViewNode<unknown>): void {
    if (this.#counted.has(node)) return;
    this.#counted.add(node);
    for (const property of ["sequence", "entry", "previous", "next"] as const) {
      let value: unknown = node[property];
      Object.defineProperty(node, property, {
        get: () => {
          this.steps += 1;
          return value;
        },
        set: (given: unknown) => {
          this.steps += 1;
          value = given;
        },
      });
    }
  }
}
