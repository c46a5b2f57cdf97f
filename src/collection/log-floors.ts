/**
 * The floors of a log: per scope and type the highest sequence of a trimmed entry. Scopes that have nothing any more may
 * be forgotten: their floors fold into one for absent scopes.
 */

/** What a cursor has to be above, so that nothing it would have been given is gone. */
export interface LogFloor {
  readonly floor: number;
  /** The highest sequence that surely was an entry of what was asked for. */
  readonly sure: number;
}

export interface FloorName {
  readonly scope: string | null;
  readonly type: string;
}

/** The name of a floor in the journal. */
export function floorName({ scope, type }: FloorName): string {
  return JSON.stringify([scope, type]);
}

/** Reads {@link floorName}; `undefined` for a name that somebody else gave. */
export function readFloorName(name: string): FloorName | undefined {
  try {
    const read: unknown = JSON.parse(name);
    if (!Array.isArray(read) || read.length !== 2) return undefined;
    const [scope, type] = read as unknown[];
    if ((scope !== null && typeof scope !== "string") || typeof type !== "string") return undefined;
    return { scope, type };
  } catch {
    return undefined;
  }
}

export class LogFloors {
  readonly #own = new Map<string | null, Map<string, number>>();
  #names = 0;
  absent = 0;

  /** How many floors have a name. */
  get size(): number {
    return this.#names;
  }

  clear(): void {
    this.#own.clear();
    this.#names = 0;
    this.absent = 0;
  }

  /** @returns whether it is higher than before. */
  raise({ scope, type }: FloorName, floor: number): boolean {
    const types = this.#own.get(scope) ?? new Map<string, number>();
    const known = types.get(type);
    if (known !== undefined && known >= floor) return false;
    if (known === undefined) this.#names += 1;
    types.set(type, floor);
    this.#own.set(scope, types);
    return true;
  }

  of({ scope, type }: FloorName): number {
    return this.#own.get(scope)?.get(type) ?? 0;
  }

  scopes(): readonly (string | null)[] {
    return [...this.#own.keys()];
  }

  typesOf(scope: string | null): ReadonlyMap<string, number> {
    return this.#own.get(scope) ?? new Map();
  }

  forget(scope: string | null): void {
    this.#names -= this.#own.get(scope)?.size ?? 0;
    this.#own.delete(scope);
  }

  /** @param types - Absent: all of them. */
  ofAll(types?: ReadonlySet<string>): LogFloor {
    let sure = 0;
    for (const own of this.#own.values()) sure = Math.max(sure, highest(own, types));
    return { floor: Math.max(sure, this.absent), sure: types ? sure : Math.max(sure, this.absent) };
  }

  /**
   * What a scope lost while it was absent is older than everything that it has or had since.
   * @param oldest - The oldest sequence that is retained of the scope; `undefined` = nothing is.
   */
  ofScope(scope: string | null, oldest: number | undefined, types?: ReadonlySet<string>): LogFloor {
    const own = this.#own.get(scope);
    const sure = own ? highest(own, types) : 0;
    const since = Math.min(oldest ?? Number.POSITIVE_INFINITY, ...(own?.values() ?? []));
    return { floor: Math.max(sure, Math.min(this.absent, since - 1)), sure };
  }
}

function highest(floors: ReadonlyMap<string, number>, types: ReadonlySet<string> | undefined): number {
  let highest = 0;
  for (const [type, floor] of floors) if (!types || types.has(type)) highest = Math.max(highest, floor);
  return highest;
}
