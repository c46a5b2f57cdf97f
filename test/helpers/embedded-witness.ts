/** Remembers everything that a journal said, over all processes that held it, and holds the next one to it. */
import { expect } from "vitest";
import type { Line } from "./embedded-writer.ts";

interface Seen {
  readonly key: string;
  readonly body: string;
}

class CollectionWitness {
  /** Every sequence that was told or acknowledged in this epoch. */
  readonly #told = new Map<number, Seen>();
  /** The highest sequence of each key that somebody knows. */
  readonly #newest = new Map<string, number>();
  /** Deletions that were asked for, and those of them that were acknowledged. */
  readonly #dropping = new Map<string, number>();
  readonly #dropped = new Map<string, number>();
  readonly #floors = new Map<string, number>();
  #found = new Map<string, number>();
  #foundFloors = new Map<string, number>();
  #head = 0;
  told = 0;

  begin(): void {
    this.#found = new Map();
    this.#foundFloors = new Map();
  }

  hear(line: Exclude<Line, readonly ["epoch", ...unknown[]] | readonly ["ready"]>): void {
    switch (line[0]) {
      case "found": {
        const [, , sequence, key, body] = line;
        this.#isNoOther(sequence, { key, body });
        this.#found.set(key, sequence);
        return;
      }
      case "told":
      case "stored": {
        const [what, , sequence, key, body] = line;
        if (what === "told") {
          this.told += 1;
          expect(sequence, "told in order, above everything that anybody knows").toBeGreaterThan(this.#head);
          this.#head = sequence;
        }
        this.#isNoOther(sequence, { key, body });
        this.#newest.set(key, Math.max(sequence, this.#newest.get(key) ?? 0));
        return;
      }
      case "floor":
        if (line[2] !== "null") this.#foundFloors.set(line[2], line[3]);
        return;
      case "raised":
        this.#floors.set(line[2], Math.max(line[3], this.#floors.get(line[2]) ?? 0));
        return;
      case "dropping":
        this.#dropping.set(line[3], line[2]);
        return;
      case "dropped":
        this.#dropped.set(line[3], line[2]);
        return;
      case "head":
        expect(line[2], "the head is never lowered").toBeGreaterThanOrEqual(this.#head);
        this.#head = line[2];
        this.#isEverythingThere();
    }
  }

  #isNoOther(sequence: number, seen: Seen): void {
    const before = this.#told.get(sequence);
    if (before) expect(seen, `sequence ${sequence} was given before`).toEqual(before);
    this.#told.set(sequence, seen);
  }

  #isEverythingThere(): void {
    for (const [key, sequence] of this.#newest) {
      const found = this.#found.get(key);
      if (found === undefined) {
        expect(this.#dropping.get(key), `${key} at ${sequence} is missing`).toBe(sequence);
        this.#newest.delete(key);
      } else if (this.#dropped.get(key) === sequence)
        expect(found, `${key} came back`).toBeGreaterThan(sequence);
      else expect(found, `${key} went back`).toBeGreaterThanOrEqual(sequence);
    }
    for (const [scope, floor] of this.#floors)
      expect(this.#foundFloors.get(scope), scope).toBeGreaterThanOrEqual(floor);
    for (const [key, sequence] of this.#found) this.#newest.set(key, sequence);
  }
}

export class Witness {
  epochs: string[] = [];
  #collections = new Map<string, CollectionWitness>();

  /** One process, from its first line to its last. */
  listen(lines: readonly Line[]): void {
    for (const collection of this.#collections.values()) collection.begin();
    for (const line of lines) {
      if (line[0] === "ready") continue;
      if (line[0] === "epoch") {
        if (line[2] !== this.epochs.at(-1)) {
          this.epochs.push(line[2]);
          this.#collections = new Map();
        }
        continue;
      }
      const known = this.#collections.get(line[1]) ?? new CollectionWitness();
      this.#collections.set(line[1], known);
      known.hear(line);
    }
  }

  get told(): number {
    return [...this.#collections.values()].reduce((sum, { told }) => sum + told, 0);
  }
}
