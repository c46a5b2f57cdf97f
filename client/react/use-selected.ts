/**
 * A part of a store, which renders only when that part changes. The selector may be written in place: the last result is
 * kept per snapshot, and an equal one stays the same object.
 */
import { useEffect, useMemo, useRef, useSyncExternalStore } from "react";

export type IsEqual<Selected> = (a: Selected, b: Selected) => boolean;

export interface Selectable<Snapshot> {
  subscribe(this: void, listener: () => void): () => void;
  getSnapshot(this: void): Snapshot;
}

export function useSelected<Snapshot, Selected>(
  { subscribe, getSnapshot }: Selectable<Snapshot>,
  getServerSnapshot: () => Snapshot,
  select: (snapshot: Snapshot) => Selected,
  isEqual: IsEqual<Selected>,
): Selected {
  /** What is on the screen. */
  const shown = useRef<{ readonly selected: Selected } | undefined>(undefined);
  const [read, readOnServer] = useMemo(() => {
    let last: { readonly snapshot: Snapshot; readonly selected: Selected } | undefined;
    const selectOf = (snapshot: Snapshot): Selected => {
      if (last && Object.is(last.snapshot, snapshot)) return last.selected;
      const before = last ?? shown.current;
      const next = select(snapshot);
      const selected = before && isEqual(before.selected, next) ? before.selected : next;
      last = { snapshot, selected };
      return selected;
    };
    return [() => selectOf(getSnapshot()), () => selectOf(getServerSnapshot())] as const;
  }, [getSnapshot, getServerSnapshot, select, isEqual]);
  const selected = useSyncExternalStore(subscribe, read, readOnServer);
  useEffect(() => {
    shown.current = { selected };
  }, [selected]);
  return selected;
}
