/** The output of all run scripts: bounded, in memory, with those who wait for more. */
import { randomBytes } from "node:crypto";
import { SnapwireError } from "../protocol/errors.ts";
import { ScriptOutput } from "./script-output.ts";

/** Scripts kept, over all workspaces; the ones that printed longest ago go first. */
const MAX_SCRIPTS = 1_000;
const MAX_BYTES = 16 * 1024 * 1024;
/** Longest text of one report, in UTF-16 units. */
export const MAX_REPORT = 64 * 1024;

export interface OutputReport {
  readonly workspaceId: string;
  /** Which of the workspace's scripts. */
  readonly name: string;
  /** Names this run of it. */
  readonly run: string;
  /** Where the text stands in all that this run printed, in UTF-16 units. */
  readonly from: number;
  readonly text: string;
}

export class RunOutputs {
  /** In the order of their last words. */
  readonly #scripts = new Map<string, ScriptOutput>();
  readonly #waiting = new Map<string, Set<() => void>>();
  #bytes = 0;

  /** @returns up to where it is known: a sender goes on from there. */
  append({ workspaceId, name, run, from, text }: OutputReport): { readonly until: number } {
    if (text.length > MAX_REPORT)
      throw new SnapwireError("invalid-input", `A report of output may have ${MAX_REPORT} characters.`);
    const key = keyOf(workspaceId, name);
    const known = this.#scripts.get(key);
    const script = known?.run === run ? known : new ScriptOutput(run, randomBytes(9).toString("base64url"));
    this.#bytes -= known?.bytes ?? 0;
    const isNew = script.append(from, text) || script !== known;
    this.#bytes += script.bytes;
    this.#scripts.delete(key);
    this.#scripts.set(key, script);
    this.#trim();
    if (isNew) this.#wake(key);
    return { until: script.end };
  }

  of(workspaceId: string, name: string): ScriptOutput | undefined {
    return this.#scripts.get(keyOf(workspaceId, name));
  }

  /** The workspace is gone. */
  forget(workspaceId: string): void {
    const prefix = keyOf(workspaceId, "");
    for (const [key, script] of [...this.#scripts]) if (key.startsWith(prefix)) this.#drop(key, script);
  }

  /** Called at each change, until it is taken away. */
  listen(workspaceId: string, name: string, listener: () => void): () => void {
    const key = keyOf(workspaceId, name);
    const listeners = this.#waiting.get(key) ?? new Set<() => void>();
    this.#waiting.set(key, listeners.add(listener));
    return () => {
      listeners.delete(listener);
      if (listeners.size === 0 && this.#waiting.get(key) === listeners) this.#waiting.delete(key);
    };
  }

  /** Ends all that wait, by waking them. */
  close(): void {
    this.#scripts.clear();
    this.#bytes = 0;
    for (const key of [...this.#waiting.keys()]) this.#wake(key);
  }

  stats(): { readonly scripts: number; readonly bytes: number; readonly subscriptions: number } {
    let subscriptions = 0;
    for (const listeners of this.#waiting.values()) subscriptions += listeners.size;
    return { scripts: this.#scripts.size, bytes: this.#bytes, subscriptions };
  }

  #trim(): void {
    for (const [key, script] of this.#scripts) {
      if (this.#scripts.size <= MAX_SCRIPTS && this.#bytes <= MAX_BYTES) return;
      this.#drop(key, script);
    }
  }

  #drop(key: string, script: ScriptOutput): void {
    this.#scripts.delete(key);
    this.#bytes -= script.bytes;
    this.#wake(key);
  }

  #wake(key: string): void {
    for (const listener of [...(this.#waiting.get(key) ?? [])]) listener();
  }
}

/** No id holds a line's end: no workspace is found below another's name. */
function keyOf(workspaceId: string, name: string): string {
  return `${workspaceId}\n${name}`;
}
