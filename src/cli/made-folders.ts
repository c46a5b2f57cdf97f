/**
 * Which folders we made for settings of other programs, so that taking the settings back takes those back too, and no
 * other one. It is kept with the rest of our state, not in folders that people share.
 */
import { existsSync, readFileSync, rmdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, sep } from "node:path";
import { makeFolder } from "../make-folder.ts";
import { stateFolder } from "./state-folder.ts";

type Environment = Readonly<Record<string, string | undefined>>;

/** The oldest is forgotten first, and stays. */
const MOST = 200;

export interface MadeFolders {
  /** What is there already is somebody else's from now on, though it may once have been ours: it was made again. */
  make(folder: string): void;
  /** Removes it if we made it and nothing is in it. */
  takeBack(folder: string): void;
}

export function madeFolders(env: Environment): MadeFolders {
  const state = stateFolder(env);
  const file = state === undefined ? undefined : join(state, "made-folders.json");
  return {
    make(folder) {
      const made = makeFolder(folder);
      const before = remembered(file);
      const others = before.filter((one) => one !== folder && !folder.startsWith(`${one}${sep}`));
      if (made.length > 0 || others.length < before.length) remember(file, [...others, ...made].slice(-MOST));
    },
    takeBack(folder) {
      const left = new Set(remembered(file));
      for (let there = folder; left.has(there); there = dirname(there)) {
        try {
          if (existsSync(there)) rmdirSync(there);
        } catch {
          return; // somebody put something into it
        }
        left.delete(there);
        remember(file, [...left]);
      }
    },
  };
}

function remembered(file: string | undefined): readonly string[] {
  if (file === undefined) return [];
  try {
    const folders: unknown = JSON.parse(readFileSync(file, "utf8"));
    return Array.isArray(folders) ? folders.filter((one) => typeof one === "string") : [];
  } catch {
    return [];
  }
}

/** What cannot be remembered is a folder too many, later. */
function remember(file: string | undefined, folders: readonly string[]): void {
  if (file === undefined) return;
  try {
    makeFolder(dirname(file), { mode: 0o700 });
    if (folders.length === 0) rmSync(file, { force: true });
    else writeFileSync(file, JSON.stringify(folders), { mode: 0o600 });
  } catch {
    // a state that cannot be written
  }
}
