/**
 * Sends clients elsewhere before the process ends. Not all at once: they would all arrive at the next node in the same
 * instant. Each is told exactly once, since older clients answer every notice with another reconnect; then comes 1001,
 * and what is still there at the end is cut.
 */
import type { Connections, Drainable } from "./connections.ts";

export interface DrainOptions {
  /** The notices are spread over this, at most half of `deadlineMs`. @defaultValue 3000 */
  readonly overMs?: number;
  /** When everything is over. @defaultValue 10000 */
  readonly deadlineMs?: number;
}

export interface DrainPlan {
  readonly overMs: number;
  /** From the last notice to the close frames: for clients to set up elsewhere. */
  readonly graceMs: number;
  /** From the close frames to the cut. */
  readonly closeMs: number;
}

/** Half for the notices at most, a fifth each for moving and closing; the rest is for the HTTP server. */
export function planDrain({ overMs = 3_000, deadlineMs = 10_000 }: DrainOptions = {}): DrainPlan {
  const fifth = Math.floor(deadlineMs / 5);
  return { overMs: Math.min(overMs, Math.floor(deadlineMs / 2)), graceMs: fifth, closeMs: fifth };
}

const WAVES = 20;

export async function drainConnections(
  connections: Pick<Connections, "all" | "empty">,
  { overMs, graceMs, closeMs }: DrainPlan,
): Promise<void> {
  const told = connections.all();
  const perWave = Math.ceil(told.length / WAVES);
  for (let first = 0; first < told.length; first += perWave) {
    for (const one of told.slice(first, first + perWave)) one.notify();
    if (first + perWave < told.length && (await emptyWithin(connections, overMs / WAVES))) return;
  }
  if (await emptyWithin(connections, graceMs)) return;
  await endConnections(connections, closeMs);
}

/** Closes every connection, and cuts those that do not answer in time. */
export async function endConnections(
  connections: Pick<Connections, "all" | "empty">,
  closeMs: number,
): Promise<void> {
  each(connections.all(), (one) => one.close());
  if (await emptyWithin(connections, closeMs)) return;
  each(connections.all(), (one) => one.terminate());
  await emptyWithin(connections, closeMs);
}

function each(connections: readonly Drainable[], act: (one: Drainable) => void): void {
  for (const one of connections) act(one);
}

/** True as soon as no connection is left, false after `ms`. Holds the process: it must not end in mid-drain. */
async function emptyWithin(connections: Pick<Connections, "empty">, ms: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), ms);
  });
  try {
    return await Promise.race([connections.empty().then(() => true), late]);
  } finally {
    clearTimeout(timer);
  }
}
