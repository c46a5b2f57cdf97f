/** A room of devices over a memory order, and devices that do what the test says. */
import {
  type AgentsRoom,
  type AgentsRoomOptions,
  type ConnectRequest,
  createAgents,
} from "../../src/agents/agents.ts";
import type { Inbox } from "../../src/agents/inbox.ts";
import type { Journal } from "../../src/journal/journal.ts";
import { createMemoryJournal } from "../../src/journal/memory.ts";
import type { InboxMessage, InboxRegistered } from "../../src/protocol/agents.ts";
import type { SnapwireError } from "../../src/protocol/errors.ts";
import { keptLog } from "./store-parts.ts";

export interface TestRoom extends AsyncDisposable {
  readonly agents: AgentsRoom;
  readonly journal: Journal;
  readonly log: ReturnType<typeof keptLog>;
  /** Another life, or another node, over the same order. */
  again(options?: Partial<AgentsRoomOptions>): Promise<TestRoom>;
}

export async function openRoom(options: Partial<AgentsRoomOptions> = {}): Promise<TestRoom> {
  const log = keptLog();
  const journal = options.journal ?? createMemoryJournal();
  await journal.open();
  const agents = createAgents({ now: Date.now, logger: log.logger, ...options, journal });
  await agents.open();
  return {
    agents,
    journal,
    log,
    again: (more = {}) => openRoom({ ...options, ...more, journal }),
    [Symbol.asyncDispose]: () => agents.close(),
  };
}

/** A device: it keeps what it was told, and acknowledges when the test says so, or at once. */
export class Device {
  readonly inbox: Inbox;
  readonly messages: InboxMessage[] = [];
  readonly frames: string[] = [];
  registered: InboxRegistered | undefined;
  /** The reason of the error that ended it. */
  failedWith: string | undefined;
  isOver = false;
  onMessage: ((message: InboxMessage) => void) | undefined;
  readonly over: Promise<void>;

  constructor(inbox: Inbox, { acks = false }: { readonly acks?: boolean } = {}) {
    this.inbox = inbox;
    this.over = this.#run(acks);
  }

  get last(): InboxMessage | undefined {
    return this.messages.at(-1);
  }

  /** `id@attempt` of each message. */
  get texts(): string[] {
    return this.messages.map(({ text, attempt }) => `${text}@${attempt}`);
  }

  ackLast(outcome: "ok" | "failed" = "ok", error?: string) {
    return this.inbox.ack({ id: this.last?.id ?? "", outcome, error });
  }

  async #run(acks: boolean): Promise<void> {
    try {
      for await (const { id, data } of this.inbox.frames()) {
        this.frames.push(id);
        if (data.type === "registered") this.registered = data;
        else if (data.type === "message") {
          this.messages.push(data);
          this.onMessage?.(data);
          if (acks) await this.inbox.ack({ id: data.id });
        } else this.failedWith = data.reason;
      }
    } catch (error) {
      this.failedWith = (error as SnapwireError).reason ?? String(error);
    } finally {
      this.isOver = true;
    }
  }
}

export async function online(
  room: Pick<TestRoom, "agents">,
  deviceId: string,
  { acks = false, ...request }: Partial<ConnectRequest> & { readonly acks?: boolean } = {},
): Promise<Device> {
  return new Device(await room.agents.connect({ deviceId, ...request }), { acks });
}

/** Lets whatever can go on without time go on. */
export const settle = async (): Promise<void> => {
  for (let turns = 0; turns < 20; turns += 1) await new Promise((resolve) => setImmediate(resolve));
};
