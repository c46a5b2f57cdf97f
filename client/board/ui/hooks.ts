/** The few things that the page knows of its surroundings: the time, the address, the theme, the size of a rem. */
import { useEffect, useState, useSyncExternalStore } from "react";

/** The present, renewed every `everyMs` while somebody looks at the page. */
export function useNow(everyMs: number): number {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    const tick = (): void => {
      if (document.visibilityState !== "hidden") setNow(Date.now());
    };
    tick();
    const timer = setInterval(tick, everyMs);
    document.addEventListener("visibilitychange", tick);
    return () => {
      clearInterval(timer);
      document.removeEventListener("visibilitychange", tick);
    };
  }, [everyMs]);
  return now;
}

export type Theme = "auto" | "light" | "dark";
const THEME_KEY = "snapwire-theme";
const NEXT_THEME: Readonly<Record<Theme, Theme>> = { auto: "light", light: "dark", dark: "auto" };

export function useTheme(): readonly [Theme, () => void] {
  const [theme, setTheme] = useState<Theme>(() => readTheme(document.documentElement.dataset.theme));
  const next = (): void => {
    const chosen = NEXT_THEME[theme];
    setTheme(chosen);
    if (chosen === "auto") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = chosen;
    try {
      if (chosen === "auto") localStorage.removeItem(THEME_KEY);
      else localStorage.setItem(THEME_KEY, chosen);
    } catch {
      // storage may be forbidden: the choice lasts as long as the page
    }
  };
  return [theme, next];
}

function readTheme(text: string | undefined): Theme {
  return text === "light" || text === "dark" ? text : "auto";
}

/** The size of a rem in pixels: it follows the reader's own settings. */
export function useRem(): number {
  return useSyncExternalStore(onResize, readRem);
}

function readRem(): number {
  return Number.parseFloat(getComputedStyle(document.documentElement).fontSize) || 16;
}

function onResize(listener: () => void): () => void {
  addEventListener("resize", listener);
  return () => removeEventListener("resize", listener);
}
