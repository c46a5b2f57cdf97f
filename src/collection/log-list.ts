/**
 * Some entries of a log, ascending. What is trimmed is only marked; a list that is half gone is tidied, so that taking
 * out costs no more than putting in.
 */
import type { LogNode } from "./log-node.ts";

const TIDY_FROM = 32;

export class LogList<Entry> {
  #nodes: LogNode<Entry>[] = [];
  #gone = 0;

  /** How many are not gone. */
  get count(): number {
    return this.#nodes.length - this.#gone;
  }

  /** Above everything that stands here. */
  push(node: LogNode<Entry>): void {
    this.#nodes.push(node);
  }

  /** One of its nodes has been marked as gone. */
  lost(): void {
    this.#gone += 1;
    if (this.#gone < TIDY_FROM || this.#gone * 2 < this.#nodes.length) return;
    this.#nodes = this.#nodes.filter(({ gone }) => !gone);
    this.#gone = 0;
  }

  /** The oldest above `sequence` that `fits`. */
  after(sequence: number, fits: (node: LogNode<Entry>) => boolean): LogNode<Entry> | undefined {
    for (let at = this.#above(sequence); at < this.#nodes.length; at += 1) {
      const node = this.#nodes[at];
      if (node && !node.gone && fits(node)) return node;
    }
    return undefined;
  }

  /** The newest below `sequence` that `fits`. */
  before(sequence: number, fits: (node: LogNode<Entry>) => boolean): LogNode<Entry> | undefined {
    for (let at = this.#above(sequence - 1) - 1; at >= 0; at -= 1) {
      const node = this.#nodes[at];
      if (node && !node.gone && fits(node)) return node;
    }
    return undefined;
  }

  oldest(): LogNode<Entry> | undefined {
    return this.after(0, () => true);
  }

  /** Those up to `sequence`, oldest first; a copy, so that they may be trimmed meanwhile. */
  upTo(sequence: number): readonly LogNode<Entry>[] {
    return this.#nodes.slice(0, this.#above(sequence)).filter(({ gone }) => !gone);
  }

  /** Oldest first. Not to be changed meanwhile. */
  *[Symbol.iterator](): IterableIterator<LogNode<Entry>> {
    for (const node of this.#nodes) if (!node.gone) yield node;
  }

  /** The index of the first node above `sequence`. */
  #above(sequence: number): number {
    let low = 0;
    let high = this.#nodes.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#nodes[middle]?.sequence ?? 0) <= sequence) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
