/** What lies between the engine and its servers, misbehaving: live messages that do not come, answers that get lost. */
import { type StreamCalls, Unanswered } from "../../src/journal/nats/api.ts";
import type { Through } from "../../src/journal/nats/engine.ts";

export interface NatsFaults {
  /** Whether a live message is lost. */
  losesLive: (sequence: number) => boolean;
  /** Whether the answer to a write is lost. */
  losesAnswer: () => boolean;
  /** Whether what is stored cannot be read again now. */
  seesNothing?: () => boolean;
  /** Whether consumers give nothing. */
  withoutConsumers?: boolean;
}

export function throughFaults(faults: NatsFaults): Through {
  return (calls): StreamCalls => ({
    fragile: calls.fragile,
    streams: calls.streams,
    head: (...given) => calls.head(...given),
    next: async (...given) => (faults.seesNothing?.() ? undefined : await calls.next(...given)),
    get: (...given) => calls.get(...given),
    remove: (...given) => calls.remove(...given),
    backlog: async function* (...given) {
      if (faults.withoutConsumers) throw new Unanswered("a consumer", new Error("lost"));
      yield* calls.backlog(...given);
    },
    live: (subject, onMessage, onRefused) =>
      calls.live(
        subject,
        (message) => {
          if (!faults.losesLive(message.sequence)) onMessage(message);
        },
        onRefused,
      ),
    publish: async (publication) => {
      const published = await calls.publish(publication);
      if (faults.losesAnswer()) throw new Unanswered("a write", new Error("lost"));
      return published;
    },
  });
}
