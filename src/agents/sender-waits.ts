/** Senders who wait for an ack: told by commits, never by looking again. Nothing is left of one that was answered. */

interface Waiting {
  readonly messageId: string;
  readonly deviceId: string;
  /** The lease that was there when the wait began. */
  readonly lease: number;
  readonly done: () => void;
}

export interface SenderWait {
  readonly messageId: string;
  readonly deviceId: string;
  readonly lease: number;
  /** Milliseconds. */
  readonly waitMs: number;
  readonly signal: AbortSignal | undefined;
}

export class SenderWaits {
  readonly #limit: number;
  readonly #waiting = new Set<Waiting>();
  readonly #ofMessage = new Map<string, Set<Waiting>>();
  readonly #ofDevice = new Map<string, Set<Waiting>>();
  #closed = false;

  constructor(limit: number) {
    this.#limit = limit;
  }

  get size(): number {
    return this.#waiting.size;
  }

  /** Resolves when the message is settled, the lease is gone, the time is over or the sender has left. */
  wait({ messageId, deviceId, lease, waitMs, signal }: SenderWait): Promise<void> {
    if (this.#closed || signal?.aborted || this.#waiting.size >= this.#limit) return Promise.resolve();
    return new Promise((resolve) => {
      const done = (): void => {
        if (!this.#waiting.delete(waiting)) return;
        clearTimeout(timer);
        signal?.removeEventListener("abort", done);
        drop(this.#ofMessage, messageId, waiting);
        drop(this.#ofDevice, deviceId, waiting);
        resolve();
      };
      const waiting: Waiting = { messageId, deviceId, lease, done };
      const timer = setTimeout(done, waitMs);
      timer.unref();
      signal?.addEventListener("abort", done, { once: true });
      this.#waiting.add(waiting);
      put(this.#ofMessage, messageId, waiting);
      put(this.#ofDevice, deviceId, waiting);
    });
  }

  messageSettled(messageId: string): void {
    for (const { done } of [...(this.#ofMessage.get(messageId) ?? [])]) done();
  }

  /** @param lease - The lease that is held now; 0 = none. */
  leaseIs(deviceId: string, lease: number): void {
    for (const waiting of [...(this.#ofDevice.get(deviceId) ?? [])]) {
      if (waiting.lease !== lease) waiting.done();
    }
  }

  all(): void {
    for (const { done } of [...this.#waiting]) done();
  }

  close(): void {
    this.#closed = true;
    this.all();
  }
}

function put(sets: Map<string, Set<Waiting>>, key: string, waiting: Waiting): void {
  const set = sets.get(key);
  if (set) set.add(waiting);
  else sets.set(key, new Set([waiting]));
}

function drop(sets: Map<string, Set<Waiting>>, key: string, waiting: Waiting): void {
  const set = sets.get(key);
  set?.delete(waiting);
  if (set?.size === 0) sets.delete(key);
}
