/** One listener for the whole page: what a key means where no field takes it. */
import { useEffect, useRef } from "react";

export type KeyMap = Readonly<Record<string, (event: KeyboardEvent) => void>>;

/** Keys are `event.key`; a modifier other than shift makes it somebody else's. */
export function useKeys(keys: KeyMap): void {
  const current = useRef(keys);
  useEffect(() => {
    current.current = keys;
  });
  useEffect(() => {
    const onKey = (event: KeyboardEvent): void => {
      if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
      if (document.querySelector("dialog[open]")) return;
      const isField = event.target instanceof Element && event.target.matches("input, textarea, select");
      if (isField && event.key !== "Escape") return;
      const act = Object.hasOwn(current.current, event.key) ? current.current[event.key] : undefined;
      act?.(event);
    };
    document.addEventListener("keydown", onKey);
    return () => document.removeEventListener("keydown", onKey);
  }, []);
}
