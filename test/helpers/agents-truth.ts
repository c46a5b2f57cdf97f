/** What is right, read from the journal alone, by a follower that knows nothing of the room. */
import type { MessageState } from "../../src/agents/message.ts";
import { isSent, isSettled } from "../../src/agents/message.ts";
import { fromBody } from "../../src/collection/record.ts";
import type { Journal } from "../../src/journal/journal.ts";

export const attemptOf = (id: string, attempt: number): string => `${id}@${attempt}`;

/** What the order says, by itself. */
export class Truth {
  /** What the order says that may not be. */
  readonly violations: string[] = [];
  /** Under which lease each attempt was sent. */
  readonly sent = new Map<string, number>();
  readonly states = new Map<string, MessageState>();
  /** The lane of each device: every message that was ever accepted, in order. */
  readonly lanes = new Map<string, string[]>();
  readonly #place = new Map<string, number>();

  async follow(journal: Journal): Promise<void> {
    await journal.log("messages").follow({
      reset: () => undefined,
      floor: () => undefined,
      advance: () => undefined,
      status: () => undefined,
      record: ({ key, sequence, body }) => {
        const record = fromBody<MessageState>(sequence, body);
        if (!record || record.scope === null) throw new Error("nothing is forgotten in a day");
        const { state } = record;
        this.#look(key, state);
        const lane = this.lanes.get(state.deviceId) ?? [];
        this.lanes.set(state.deviceId, lane);
        if (state.order === 0) {
          if (lane.includes(key)) lane.splice(lane.indexOf(key), 1);
          lane.push(key);
          this.#place.set(key, sequence);
        } else if (state.order !== this.#place.get(key)) throw new Error(`${key} lost its place`);
        this.states.set(key, state);
      },
    });
  }

  /** P12 in the order of the commits, which is what every node acts on, however late it hears of them. */
  #look(id: string, state: MessageState): void {
    const before = this.states.get(id);
    if (before?.status === "delivered" && state.status !== "delivered")
      this.violations.push(`${id} is ${state.status} after it was delivered`);
    if (!isSent(state.status) || state.attempt === before?.attempt) return;
    if (state.attempt <= (before?.attempt ?? 0))
      this.violations.push(`${id} is sent again as ${state.attempt}`);
    const open = this.openBefore(id, state.deviceId);
    if (open.length > 0) this.violations.push(`${id} is sent before ${open.join(", ")}`);
    if (state.lease < (before?.lease ?? 0)) this.violations.push(`${id} is sent under an old lease`);
    this.sent.set(attemptOf(id, state.attempt), state.lease);
  }

  /** Messages before this one that are not settled. */
  openBefore(messageId: string, deviceId: string): string[] {
    const lane = this.lanes.get(deviceId) ?? [];
    return lane
      .slice(0, lane.indexOf(messageId))
      .filter((id) => !isSettled(this.states.get(id)?.status ?? "waiting"));
  }
}
