/** Who watches what becomes of a message: told by commits, with nothing kept per watcher but that it is awake. */
import type { MessageReport } from "../protocol/agents.ts";
import type { TrackedFrame } from "../protocol/frames.ts";
import { isSettled } from "./message.ts";

interface WatchOptions {
  /** The newest report; undefined when there is no such message. */
  readonly report: () => TrackedFrame<MessageReport> | undefined;
  readonly signal: AbortSignal | undefined;
}

export class StatusWatchers {
  readonly #wakes = new Map<string, Set<() => void>>();
  #closed = false;

  get size(): number {
    let size = 0;
    for (const wakes of this.#wakes.values()) size += wakes.size;
    return size;
  }

  changed(messageId: string): void {
    for (const wake of [...(this.#wakes.get(messageId) ?? [])]) wake();
  }

  all(): void {
    for (const messageId of [...this.#wakes.keys()]) this.changed(messageId);
  }

  close(): void {
    this.#closed = true;
    this.all();
  }

  /** The newest report each time, those in between may be left out. Ends when the message is settled or forgotten. */
  async *watch(
    messageId: string,
    { report, signal }: WatchOptions,
  ): AsyncGenerator<TrackedFrame<MessageReport>, void, void> {
    let sleeper: (() => void) | undefined;
    const wake = (): void => sleeper?.();
    const wakes = this.#wakes.get(messageId) ?? new Set();
    this.#wakes.set(messageId, wakes);
    wakes.add(wake);
    signal?.addEventListener("abort", wake, { once: true });
    let told: string | undefined;
    try {
      while (!this.#closed && !signal?.aborted) {
        const newest = report();
        if (!newest) return;
        if (newest.id !== told) {
          told = newest.id;
          yield newest;
          if (isSettled(newest.data.status)) return;
          continue;
        }
        await new Promise<void>((resolve) => {
          sleeper = resolve;
        });
        sleeper = undefined;
      }
    } finally {
      signal?.removeEventListener("abort", wake);
      wakes.delete(wake);
      if (wakes.size === 0 && this.#wakes.get(messageId) === wakes) this.#wakes.delete(messageId);
    }
  }
}
