/** The smallest product of a collection: a value in a scope, perhaps hidden. Nothing of workspaces in it. */
import { Collection, type Told, type Written } from "../../src/collection/collection.ts";
import type { NextRecord } from "../../src/collection/model.ts";
import type { Journal } from "../../src/journal/journal.ts";
import type { Logger } from "../../src/log.ts";

interface ToyState {
  readonly scope: string;
  readonly value: string;
  readonly hidden: boolean;
}

/** What is said stays; what is not said is as it was. `add` goes behind the value: applied twice, it shows. */
type ToyOperation = (Partial<ToyState> & { readonly add?: string }) | "remove" | { readonly fail: string };

export interface ToyEntry {
  readonly key: string;
  readonly value: string;
  readonly version: number;
}

/** What one operation did by itself. */
interface ToyOutcome {
  readonly changed: boolean;
}

export interface ToyNode {
  readonly collection: Collection<ToyOperation, ToyState, ToyEntry, ToyOutcome>;
  readonly told: Told<ToyEntry>[];
  readonly complaints: string[];
  /** How often operations were folded. */
  folds: number;
  resets: number;
  write(key: string, operation: ToyOperation): Promise<Written<ToyOutcome>>;
  /** A scope's list: key, sequence, and value or null for a tombstone; oldest first. */
  list(scope: string): (readonly [string, number, string | null])[];
  /** Called whenever something is told. */
  onTold: ((told: Told<ToyEntry>) => void) | undefined;
}

export interface ToyOptions {
  readonly now?: () => number;
  readonly tombstonesForMs?: number;
  readonly tombstonesPerScope?: number;
  readonly revision?: string;
}

function fold(base: NextRecord<ToyState> | undefined, operations: readonly ToyOperation[]) {
  let state = base && base.scope !== null ? base.state : undefined;
  const before = state;
  const outcomes = operations.map((operation) => {
    if (operation === "remove") {
      const changed = state !== undefined;
      state = undefined;
      return { value: { changed } };
    }
    if ("fail" in operation) return { error: new Error(operation.fail) };
    const from = state ?? { scope: "", value: "", hidden: false };
    const { add = "", ...said } = operation;
    const next = { ...from, ...said };
    next.value += add;
    if (next.scope === "") return { error: new Error("scope-required") };
    const changed = state === undefined || !same(from, next);
    if (changed) state = next;
    return { value: { changed } };
  });
  if (!base && !state) return { next: undefined, changed: false, outcomes };
  const changed = !same(before, state);
  const kept = state ?? base?.state ?? { scope: "", value: "", hidden: false };
  return {
    next: { scope: state?.scope ?? null, hidden: state?.hidden ?? false, state: kept },
    changed,
    outcomes,
  };
}

function same(a: ToyState | undefined, b: ToyState | undefined): boolean {
  return a === b || (a?.scope === b?.scope && a?.value === b?.value && a?.hidden === b?.hidden);
}

export function toyNode(journal: Journal, options: ToyOptions = {}): ToyNode {
  const complaints: string[] = [];
  const complain = (_: object, message: string): void => void complaints.push(message);
  const logger: Logger = { debug: () => undefined, info: () => undefined, warn: complain, error: complain };
  const told: Told<ToyEntry>[] = [];
  const collection = new Collection<ToyOperation, ToyState, ToyEntry, ToyOutcome>({
    name: "toys",
    journal,
    revision: options.revision ?? "1",
    model: {
      fold: (_, base, operations) => {
        node.folds += 1;
        return fold(base, operations);
      },
      entryOf: (key, { value }, version) => Object.freeze({ key, value: value.toString(), version }),
    },
    now: options.now ?? (() => 0),
    logger,
    tell: (change) => {
      told.push(change);
      node.onTold?.(change);
    },
    tellReset: () => {
      node.resets += 1;
    },
    tellStatus: () => undefined,
    ...(options.tombstonesForMs === undefined ? {} : { tombstonesForMs: options.tombstonesForMs }),
    ...(options.tombstonesPerScope === undefined ? {} : { tombstonesPerScope: options.tombstonesPerScope }),
  });
  const node: ToyNode = {
    collection,
    told,
    complaints,
    folds: 0,
    resets: 0,
    onTold: undefined,
    write: (key, operation) => collection.write(key, operation),
    list: (scope) => {
      const list: (readonly [string, number, string | null])[] = [];
      const view = collection.view(scope);
      for (let at = view?.after(-1); at; at = at.next)
        list.push([at.key, at.sequence, at.entry?.value ?? null]);
      return list;
    },
  };
  return node;
}

/** A node that follows. */
export async function openedToy(journal: Journal, options: ToyOptions = {}): Promise<ToyNode> {
  const node = toyNode(journal, options);
  await node.collection.open();
  return node;
}
