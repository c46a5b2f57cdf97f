/**
 * The name of one life of an order: a random id in the stream itself. Whoever finds that what was told is no longer
 * there writes another one; of several who do, one is stored, and all follow it.
 */
import { randomUUID } from "node:crypto";
import { type StreamCalls, WrongSequence } from "./api.ts";
import type { StreamSpec } from "./options.ts";
import { decodeEpoch, encodeEpoch } from "./payload.ts";

interface EpochPlace {
  readonly api: StreamCalls;
  readonly spec: StreamSpec;
}

/** The epoch in force; the first node to ask makes one. */
export async function currentEpoch(place: EpochPlace): Promise<string> {
  const found = await read(place);
  if (found?.epoch !== undefined) return found.epoch;
  return write(place, found?.sequence ?? 0);
}

/** Puts another epoch in the place of `known`, unless somebody has done so already. @returns the one in force */
export async function renewEpoch(place: EpochPlace, known: string | undefined): Promise<string> {
  const found = await read(place);
  if (found?.epoch !== undefined && found.epoch !== known) return found.epoch;
  return write(place, found?.sequence ?? 0);
}

async function read({
  api,
  spec,
}: EpochPlace): Promise<{ sequence: number; epoch: string | undefined } | undefined> {
  const message = await api.get(spec.name, { last_by_subj: spec.subjects.epoch });
  return message && { sequence: message.sequence, epoch: decodeEpoch(message.data) };
}

async function write(place: EpochPlace, expect: number): Promise<string> {
  const { api, spec } = place;
  const epoch = randomUUID();
  try {
    await api.publish({
      stream: spec.name,
      subject: spec.subjects.epoch,
      data: encodeEpoch(epoch),
      id: epoch,
      // Nodes that begin together would lose the comparison: there the last one stands, and all take that.
      ...(api.fragile ? {} : { expect }),
    });
    return api.fragile ? currentEpoch(place) : epoch;
  } catch (error) {
    if (error instanceof WrongSequence) return currentEpoch(place);
    throw error;
  }
}
