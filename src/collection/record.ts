/** What a collection writes into its journal: a record is whole, never a patch. */
import type { Json } from "../journal/journal.ts";

/** A scope that a record left inside the resume window. */
export interface Departure {
  readonly scope: string;
  /** The commit of the departure; 0 in a body = the commit that carries it. */
  readonly sequence: number;
  /** When, in milliseconds since 1970: the resume window counts from here. */
  readonly at: number;
}

export interface RecordBody<State> {
  /** Null: removed. The record stays as a tombstone until its departures are below their floors. */
  readonly scope: string | null;
  /** In its scope, but not to be shown. */
  readonly hidden: boolean;
  readonly state: State;
  readonly left: readonly Departure[];
  /** When it was committed, in milliseconds since 1970. */
  readonly at: number;
}

/** A committed record: the departures carry their own sequences. */
export interface CollectionRecord<State> extends RecordBody<State> {
  readonly sequence: number;
}

/** The scope in which a record can be seen. */
export function visibleScope(record: RecordBody<unknown> | undefined): string | null {
  return record && !record.hidden ? record.scope : null;
}

/**
 * The departures of the record that follows `base`: those that are still above their floors, without the scope in which
 * the record is seen again, and with the scope in which it was seen until now.
 */
export function departuresAfter(
  base: CollectionRecord<unknown> | undefined,
  next: { readonly scope: string | null; readonly hidden: boolean },
  at: number,
  floorOf: (scope: string) => number,
): readonly Departure[] {
  const seenIn = next.hidden ? null : next.scope;
  const seenBefore = visibleScope(base);
  const kept = (base?.left ?? []).filter(
    ({ scope, sequence }) => scope !== seenIn && scope !== seenBefore && sequence > floorOf(scope),
  );
  return seenBefore !== null && seenBefore !== seenIn
    ? [...kept, { scope: seenBefore, sequence: 0, at }]
    : kept;
}

export function toBody<State>(body: RecordBody<State>): Json {
  return body as unknown as Json; // states are plain JSON by the contract of their model
}

/** Reads a body that some node wrote; `undefined` for one of another shape, which is skipped and reported. */
export function fromBody<State>(sequence: number, body: Json): CollectionRecord<State> | undefined {
  if (typeof body !== "object" || body === null || Array.isArray(body)) return undefined;
  const { scope, hidden, left, at, state } = body as { readonly [key: string]: Json | undefined };
  if (!(scope === null || typeof scope === "string") || typeof hidden !== "boolean") return undefined;
  if (!Array.isArray(left) || typeof at !== "number" || state === undefined) return undefined;
  const departures: Departure[] = [];
  for (const item of left) {
    if (!isDeparture(item)) return undefined;
    // Nothing can have left after the record that says so.
    departures.push(item.sequence > 0 && item.sequence < sequence ? item : { ...item, sequence });
  }
  return { sequence, scope, hidden, left: departures, at, state: state as unknown as State };
}

function isDeparture(item: unknown): item is Departure {
  if (typeof item !== "object" || item === null) return false;
  const { scope, sequence, at } = item as Partial<Record<keyof Departure, unknown>>;
  return typeof scope === "string" && typeof sequence === "number" && typeof at === "number";
}

/** Whether the record is what this body became: a state and the moment of its commit are not found twice. */
export function holdsBody(record: CollectionRecord<unknown> | undefined, body: Json): boolean {
  if (!record) return false;
  const { at, scope, state } = body as unknown as RecordBody<unknown>;
  return record.at === at && record.scope === scope && JSON.stringify(record.state) === JSON.stringify(state);
}
