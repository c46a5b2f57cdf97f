/**
 * Many deadlines, one timer: armed for the next one, and for none when there is none. Time is the injected clock's, the
 * timer only says when to look.
 */

/** setTimeout takes no more than 2^31 - 1 ms. */
const LONGEST_MS = 2_147_483_647;

interface Entry {
  readonly key: string;
  readonly at: number;
}

export interface DeadlinesOptions {
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly onDue: (key: string) => void;
}

export class Deadlines {
  readonly #options: DeadlinesOptions;
  readonly #due = new Map<string, number>();
  /** A binary heap by time. What was moved or taken away stays in it until it comes up. */
  #heap: Entry[] = [];
  #timer: NodeJS.Timeout | undefined;
  #armedFor = Number.POSITIVE_INFINITY;
  #closed = false;

  constructor(options: DeadlinesOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#due.size;
  }

  /** @param at - Milliseconds since 1970. */
  set(key: string, at: number): void {
    if (this.#closed || this.#due.get(key) === at) return;
    this.#due.set(key, at);
    this.#push({ key, at });
    if (this.#heap.length > 64 + 2 * this.#due.size) this.#rebuild();
    this.#arm();
  }

  delete(key: string): void {
    this.#due.delete(key);
    if (this.#due.size === 0) this.clear();
  }

  clear(): void {
    this.#due.clear();
    this.#heap = [];
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#armedFor = Number.POSITIVE_INFINITY;
  }

  close(): void {
    this.#closed = true;
    this.clear();
  }

  #arm(): void {
    const next = this.#next();
    if (!next || next.at >= this.#armedFor) return;
    clearTimeout(this.#timer);
    this.#armedFor = next.at;
    const ms = Math.min(LONGEST_MS, Math.max(0, next.at - this.#options.now()));
    this.#timer = setTimeout(() => this.#look(), ms);
    this.#timer.unref();
  }

  #look(): void {
    this.#timer = undefined;
    this.#armedFor = Number.POSITIVE_INFINITY;
    const now = this.#options.now();
    const due: string[] = [];
    for (let next = this.#next(); next && next.at <= now; next = this.#next()) {
      this.#pop();
      this.#due.delete(next.key);
      due.push(next.key);
    }
    for (const key of due) this.#options.onDue(key);
    this.#arm();
  }

  /** The earliest deadline that still holds. */
  #next(): Entry | undefined {
    for (;;) {
      const [first] = this.#heap;
      if (!first || this.#due.get(first.key) === first.at) return first;
      this.#pop();
    }
  }

  #rebuild(): void {
    this.#heap = [...this.#due].map(([key, at]) => ({ key, at })).sort((a, b) => a.at - b.at);
  }

  #push(entry: Entry): void {
    const heap = this.#heap;
    let at = heap.push(entry) - 1;
    while (at > 0) {
      const up = (at - 1) >> 1;
      const parent = heap[up];
      if (!parent || parent.at <= entry.at) break;
      heap[at] = parent;
      at = up;
    }
    heap[at] = entry;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (!last || heap.length === 0) return;
    let at = 0;
    for (;;) {
      const left = 2 * at + 1;
      const [a, b] = [heap[left], heap[left + 1]];
      if (!a) break;
      const [smaller, child] = b && b.at < a.at ? [left + 1, b] : [left, a];
      if (child.at >= last.at) break;
      heap[at] = child;
      at = smaller;
    }
    heap[at] = last;
  }
}
