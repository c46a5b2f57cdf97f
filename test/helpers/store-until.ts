import { vi } from "vitest";

/** Waits for a fact, as long as a busy machine may need; never for a while. */
export function until(fact: () => unknown): Promise<unknown> {
  return vi.waitFor(fact, { timeout: 15_000, interval: 5 });
}
