/**
 * The view of one scope: one node per key, an entry or a tombstone, in the order of its last visible change. A change
 * moves its node to the tail, so everything that a subscriber has not seen stands behind its cursor, each key once.
 *
 * Invariant: sequences strictly ascend from head to tail; none is at or below the floor for a tombstone.
 */
export interface ViewNode<Entry> {
  readonly key: string;
  /** The commit of the last visible change; -1 once the node has been taken out of the view. */
  sequence: number;
  /** Null: a tombstone. */
  entry: Entry | null;
  /** When it became a tombstone, in milliseconds since 1970. */
  at: number;
  /** What is told of this change, worded once by whoever tells it; gone with the next change. */
  told: unknown;
  previous: ViewNode<Entry> | undefined;
  next: ViewNode<Entry> | undefined;
}

const GONE = -1;

/** All entries at one position: what a full frame shows, the same for everybody until something changes. */
export interface ViewCut<Entry> {
  readonly entries: readonly Entry[];
  /** The head of the collection when it was cut. */
  readonly at: number;
  /** What is told of this cut, worded once by whoever tells it. */
  readonly told: Map<string, unknown>;
}

export class ScopeView<Entry> {
  readonly scope: string;
  /** The tag of this scope's positions. */
  readonly tag: string;
  /** The highest sequence of a pruned tombstone: cursors below it may have missed a removal. */
  floor: number;
  /** A floor that only this node knows of, to be made durable before a record below it is dropped; 0 = none. */
  owedFloor = 0;
  /** Counts visible changes; the difference to what a subscriber got is what conflation spared it. */
  changes = 0;
  #head: ViewNode<Entry> | undefined;
  #tail: ViewNode<Entry> | undefined;
  readonly #nodes = new Map<string, ViewNode<Entry>>();
  /** The tombstones, oldest first. */
  #tombstones = new Map<string, ViewNode<Entry>>();
  #entries: readonly Entry[] | undefined;
  #cut: ViewCut<Entry> | undefined;

  constructor(scope: string, tag: string, floor: number) {
    this.scope = scope;
    this.tag = tag;
    this.floor = floor;
  }

  /** The newest sequence in the list; 0 when it is empty. */
  get latest(): number {
    return this.#tail?.sequence ?? 0;
  }

  get entryCount(): number {
    return this.#nodes.size - this.#tombstones.size;
  }

  get tombstoneCount(): number {
    return this.#tombstones.size;
  }

  get isEmpty(): boolean {
    return this.#nodes.size === 0;
  }

  node(key: string): ViewNode<Entry> | undefined {
    return this.#nodes.get(key);
  }

  /** Shows `entry` at the tail. */
  put(key: string, sequence: number, entry: Entry): void {
    const node = this.#place(key, sequence);
    node.entry = entry;
    this.#tombstones.delete(key);
  }

  /**
   * Leaves a tombstone for the departure at `sequence`, shown at `shownAt`. A departure that is older than what the view
   * knows of the key, or below the floor of a key that it does not know, changes nothing.
   */
  bury(key: string, sequence: number, at: number, shownAt: number = sequence): boolean {
    const known = this.#nodes.get(key);
    if (known ? known.sequence >= sequence : sequence <= this.floor) return false;
    const node = this.#place(key, shownAt);
    node.entry = null;
    node.at = at;
    this.#tombstones.delete(key);
    this.#tombstones.set(key, node);
    return true;
  }

  /**
   * Ends a start from the newest record of each key: departures came later than what followed them, and floors at any
   * time. Until then the view takes everything.
   *
   * What the scope lost while it was absent lies below the floor of absent scopes *and* below everything that it has
   * now. A departure below the floor of absent scopes may be from before that time: it is given up, and the floor says so.
   *
   * @param own - The scope's own floor; 0 = none.
   */
  load(own: number, absent: number): void {
    this.#sort();
    let lost = own;
    for (const node of this.#tombstones.values())
      if (node.sequence <= absent) lost = Math.max(lost, node.sequence);
    this.prune(lost);
    if (lost > own) this.owedFloor = lost;
    const oldest = this.#head?.sequence ?? absent + 1;
    this.floor = Math.max(lost, Math.min(absent, oldest - 1));
  }

  #sort(): void {
    const sorted = [...this.#nodes.values()].sort((a, b) => a.sequence - b.sequence);
    this.#head = undefined;
    this.#tail = undefined;
    this.#tombstones = new Map();
    for (const node of sorted) {
      this.#append(node);
      if (node.entry === null) this.#tombstones.set(node.key, node);
    }
  }

  /** Raises the floor and takes out the tombstones at or below it; answers their keys. */
  prune(floor: number): readonly string[] {
    if (floor >= this.owedFloor) this.owedFloor = 0;
    if (floor <= this.floor) return [];
    this.floor = floor;
    const pruned: string[] = [];
    for (const [key, node] of this.#tombstones) {
      if (node.sequence > floor) break;
      this.#remove(node);
      pruned.push(key);
    }
    return pruned;
  }

  /**
   * The highest sequence among the tombstones that are too many or too old; 0 when none is.
   * @param before - Milliseconds since 1970.
   */
  prunable(limit: number, before: number): number {
    let floor = 0;
    let surplus = this.#tombstones.size - limit;
    for (const node of this.#tombstones.values()) {
      if (surplus <= 0 && node.at > before) break;
      floor = node.sequence;
      surplus -= 1;
    }
    return floor;
  }

  /**
   * The oldest node above `sequence`, found from the tail in as many steps as there are such nodes. `hint` is the node
   * that the caller took last: while it stands where it stood, the answer is the one behind it.
   */
  after(sequence: number, hint?: ViewNode<Entry>): ViewNode<Entry> | undefined {
    if (hint?.sequence === sequence && this.#nodes.get(hint.key) === hint) return hint.next;
    let oldest: ViewNode<Entry> | undefined;
    for (let node = this.#tail; node && node.sequence > sequence; node = node.previous) oldest = node;
    return oldest;
  }

  /** How many nodes stand above `sequence`. */
  countAfter(sequence: number): number {
    let count = 0;
    for (let node = this.#tail; node && node.sequence > sequence; node = node.previous) count += 1;
    return count;
  }

  /** All entries, in the order of their last change; the same frozen array until something changes. */
  entries(): readonly Entry[] {
    if (this.#entries) return this.#entries;
    const entries: Entry[] = [];
    for (let node = this.#head; node; node = node.next) if (node.entry !== null) entries.push(node.entry);
    this.#entries = Object.freeze(entries);
    return this.#entries;
  }

  /** @param head - The collection's head; a cut that nothing has changed since stays at its own, above the floor. */
  cut(head: number): ViewCut<Entry> {
    const entries = this.entries();
    if (this.#cut?.entries !== entries || this.#cut.at < this.floor)
      this.#cut = { entries, at: head, told: new Map() };
    return this.#cut;
  }

  #place(key: string, sequence: number): ViewNode<Entry> {
    this.changes += 1;
    this.#entries = undefined;
    let node = this.#nodes.get(key);
    if (node) {
      this.#unlink(node);
      node.sequence = sequence;
      node.told = undefined;
    } else {
      node = { key, sequence, entry: null, at: 0, told: undefined, previous: undefined, next: undefined };
      this.#nodes.set(key, node);
    }
    this.#append(node);
    return node;
  }

  #remove(node: ViewNode<Entry>): void {
    this.#unlink(node);
    this.#nodes.delete(node.key);
    this.#tombstones.delete(node.key);
    this.#entries = undefined;
    node.sequence = GONE;
    node.told = undefined;
  }

  #append(node: ViewNode<Entry>): void {
    node.previous = this.#tail;
    node.next = undefined;
    if (this.#tail) this.#tail.next = node;
    else this.#head = node;
    this.#tail = node;
  }

  #unlink(node: ViewNode<Entry>): void {
    if (node.previous) node.previous.next = node.next;
    else this.#head = node.next;
    if (node.next) node.next.previous = node.previous;
    else this.#tail = node.previous;
    node.previous = undefined;
    node.next = undefined;
  }
}
