/**
 * Random programs of senders and devices over one order: nodes that stop and crash, inboxes that drop and take over,
 * acks of every kind. What is right is read from the journal alone, by a follower that knows nothing of the room.
 */
import fc from "fast-check";
import type { MessageState } from "../../src/agents/message.ts";
import { isSent, isSettled } from "../../src/agents/message.ts";
import { fromBody } from "../../src/collection/record.ts";
import { type Journal, JournalUnavailable } from "../../src/journal/journal.ts";
import { createMemoryJournal } from "../../src/journal/memory.ts";
import type { InboxMessage } from "../../src/protocol/agents.ts";
import { Device, openRoom, settle, type TestRoom } from "./agents.ts";

export type Step =
  | { readonly do: "send"; readonly device: number; readonly node: number; readonly key: number | null }
  | { readonly do: "connect"; readonly device: number; readonly node: number; readonly reject: boolean }
  | { readonly do: "drop"; readonly device: number }
  | { readonly do: "ack"; readonly device: number; readonly node: number; readonly failed: boolean }
  | { readonly do: "old-ack"; readonly device: number; readonly pick: number }
  | { readonly do: "resend"; readonly pick: number }
  | { readonly do: "pass"; readonly seconds: number }
  | { readonly do: "restart"; readonly node: number; readonly crash: boolean };

const DEVICES = 3;
const device = fc.nat(DEVICES - 1);
const node = fc.nat(1);

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ do: fc.constant("send" as const), device, node, key: fc.option(fc.nat(4)) }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constant("connect" as const), device, node, reject: fc.boolean() }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("drop" as const), device }) },
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant("ack" as const),
      device,
      node,
      failed: fc.integer({ min: 0, max: 9 }).map((n) => n === 0),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("old-ack" as const), device, pick: fc.nat() }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("resend" as const), pick: fc.nat() }) },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant("pass" as const), seconds: fc.constantFrom(1, 20, 61) }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("restart" as const), node, crash: fc.boolean() }) },
);

/** Steps of one batch begin in the same turn. */
export const programs: fc.Arbitrary<readonly (readonly Step[])[]> = fc.array(
  fc.array(step, { minLength: 1, maxLength: 4 }),
  { maxLength: 40 },
);

/** What the order says, by itself. */
class Truth {
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

  /** Messages before this one that are not settled. */
  openBefore(messageId: string, deviceId: string): string[] {
    const lane = this.lanes.get(deviceId) ?? [];
    return lane
      .slice(0, lane.indexOf(messageId))
      .filter((id) => !isSettled(this.states.get(id)?.status ?? "waiting"));
  }
}

/** A journal as one node has it, until it is cut off. */
export function severable(inner: Journal, shared: boolean) {
  let severed = false;
  const journal: Journal = {
    ...inner,
    shared,
    log: (collection) => {
      const log = inner.log(collection);
      return {
        ...log,
        follow: (sink) =>
          log.follow({
            reset: (epoch) => void (severed || sink.reset(epoch)),
            record: (record) => void (severed || sink.record(record)),
            floor: (scope, floor) => void (severed || sink.floor(scope, floor)),
            advance: (sequence) => void (severed || sink.advance(sequence)),
            status: (fresh, reason) => void (severed || sink.status(fresh, reason)),
          }),
        append: async (append) => {
          if (severed) throw new JournalUnavailable("cut off", { inDoubt: false });
          return log.append(append);
        },
        head: () => log.head(),
        raiseFloor: (scope, floor) => log.raiseFloor(scope, floor),
        dropFloor: (scope) => log.dropFloor(scope),
        dropRecords: (records) => log.dropRecords(records),
      };
    },
    close: async () => undefined,
  };
  return {
    journal,
    sever: () => {
      severed = true;
    },
  };
}

interface Node {
  room: TestRoom;
  sever: () => void;
}

/** A device as the program sees it: the connection that it has now, and all that it ever had. */
interface Client {
  readonly deviceId: string;
  current: Device | undefined;
  readonly past: Device[];
}

export class Program {
  readonly violations: string[] = [];
  readonly truth = new Truth();
  readonly #inner = createMemoryJournal();
  readonly #nodes: Node[] = [];
  readonly #dead: Node[] = [];
  readonly #clients: Client[] = Array.from({ length: DEVICES }, (_, i) => ({
    deviceId: `d${i}`,
    current: undefined,
    past: [],
  }));
  readonly #nodeCount: number;
  readonly #pass: (ms: number) => Promise<void>;
  /** The message of each client key. */
  readonly #ofKey = new Map<string, string>();
  readonly #attempts = new Map<string, number>();
  readonly #delivered = new Set<string>();
  /** What was handed to a device at all. */
  readonly executed = new Set<string>();

  constructor(nodeCount: number, pass: (ms: number) => Promise<void>) {
    this.#nodeCount = nodeCount;
    this.#pass = pass;
  }

  async run(program: readonly (readonly Step[])[]): Promise<void> {
    await this.#inner.open();
    await this.truth.follow(this.#inner);
    for (let i = 0; i < this.#nodeCount; i += 1) await this.#open(i);
    for (const batch of program) {
      await Promise.all(batch.map((one) => this.#step(one)));
      await settle();
    }
    await this.#finish();
  }

  async close(): Promise<void> {
    for (const { room } of [...this.#nodes, ...this.#dead]) await room.agents.close();
  }

  async #open(at: number): Promise<void> {
    const { journal, sever } = severable(this.#inner, this.#nodeCount > 1);
    this.#nodes[at] = { room: await openRoom({ journal }), sever };
  }

  #node(at: number): Node {
    const found = this.#nodes[at % this.#nodes.length];
    if (!found) throw new Error("no node");
    return found;
  }

  #client(at: number): Client {
    const client = this.#clients[at];
    if (!client) throw new Error("no client");
    return client;
  }

  async #step(one: Step): Promise<void> {
    switch (one.do) {
      case "send":
        return this.#send(one);
      case "connect":
        return this.#connect(one);
      case "drop":
        return this.#client(one.device).current?.inbox.close();
      case "ack":
        return this.#ack(one);
      case "old-ack":
        return this.#oldAck(one);
      case "resend":
        return this.#resend(one.pick);
      case "pass":
        return this.#pass(one.seconds * 1_000);
      case "restart":
        return this.#restart(one);
    }
  }

  async #send({ device, node, key }: Extract<Step, { do: "send" }>): Promise<void> {
    const { deviceId } = this.#client(device);
    const clientKey = key === null ? undefined : `k${key}`;
    const request = { deviceId, text: "t", clientKey, waitMs: 0 };
    const sent = await this.#unlessAway(this.#node(node).room.agents.send(request));
    if (!sent || clientKey === undefined) return;
    const name = `${deviceId} ${clientKey}`;
    const before = this.#ofKey.get(name) ?? sent.messageId;
    if (before !== sent.messageId) this.violations.push(`${name} became two messages`);
    this.#ofKey.set(name, before);
  }

  async #connect({ device, node, reject }: Extract<Step, { do: "connect" }>): Promise<void> {
    const client = this.#client(device);
    const { deviceId } = client;
    const policy = reject ? ("reject" as const) : ("takeover" as const);
    const inbox = await this.#unlessAway(this.#node(node).room.agents.connect({ deviceId, policy }));
    if (!inbox) return;
    const connection = new Device(inbox);
    const before = client.current;
    if (before && before.inbox.lease > inbox.lease) return; // of two that came at once this one is the older
    if (before) client.past.push(before);
    client.current = connection;
    connection.onMessage = (message) => this.#handed(client, connection, message);
  }

  /** P12, looked at in the turn in which a device gets a message. */
  #handed({ deviceId }: Client, connection: Device, { id, attempt }: InboxMessage): void {
    this.executed.add(id);
    const open = this.truth.openBefore(id, deviceId);
    if (open.length > 0) this.violations.push(`${id} overtook ${open.join(", ")}`);
    const before = this.#attempts.get(id) ?? 0;
    if (attempt <= before) this.violations.push(`${id} came with attempt ${attempt} after ${before}`);
    this.#attempts.set(id, attempt);
    if (this.#delivered.has(id)) this.violations.push(`${id} came again after its ack`);
    const state = this.truth.states.get(id);
    if (state && state.lease > connection.inbox.lease) this.violations.push(`${id} came to an old lease`);
  }

  async #ack({ device, node, failed }: Extract<Step, { do: "ack" }>): Promise<void> {
    const { deviceId, current } = this.#client(device);
    const last = current?.last;
    if (!current || !last) return;
    const { lease } = current.inbox;
    const outcome = failed ? ("failed" as const) : ("ok" as const);
    const before = this.truth.states.get(last.id);
    const ack = { id: last.id, lease, outcome, deviceId };
    const answer = await this.#unlessAway(this.#node(node).room.agents.ack(ack));
    if (!answer) return;
    const after = this.truth.states.get(last.id)?.status;
    if (answer.accepted && outcome === "ok") {
      if (after !== "delivered") this.violations.push(`an accepted ack left ${last.id} ${after}`);
      this.#delivered.add(last.id);
    }
    // Nobody else came between: what this lease was given, it may acknowledge.
    if (
      !answer.accepted &&
      before &&
      isSent(before.status) &&
      before.lease === lease &&
      this.#isQuiet(deviceId, lease)
    )
      this.violations.push(`the ack of ${last.id} under its own lease was refused`);
  }

  #isQuiet(deviceId: string, lease: number): boolean {
    return this.#nodes.every(({ room }) =>
      room.agents.list().every((entry) => entry.deviceId !== deviceId || entry.lease === lease),
    );
  }

  async #oldAck({ device, pick }: Extract<Step, { do: "old-ack" }>): Promise<void> {
    const { current, past, deviceId } = this.#client(device);
    const old = past[pick % Math.max(1, past.length)];
    const message = old?.messages[pick % Math.max(1, old.messages.length)];
    if (!old || !message || !current || current.inbox.lease === old.inbox.lease) return;
    const before = this.truth.states.get(message.id);
    const ack = { id: message.id, lease: old.inbox.lease, deviceId };
    const answer = await this.#unlessAway(this.#node(pick).room.agents.ack(ack));
    // One that this very lease had settled before is only said again.
    const wasItsOwn = before?.lease === old.inbox.lease && before.status === "delivered";
    if (answer?.accepted && !wasItsOwn) this.violations.push(`an old lease settled ${message.id}`);
  }

  async #resend(pick: number): Promise<void> {
    const dead = [...this.truth.states].filter(
      ([, { status }]) => status === "failed" || status === "expired",
    );
    const [id] = dead[pick % Math.max(1, dead.length)] ?? [];
    if (id !== undefined) await this.#unlessAway(this.#node(pick).room.agents.resend(id));
  }

  async #restart({ node, crash }: Extract<Step, { do: "restart" }>): Promise<void> {
    const at = node % this.#nodes.length;
    const old = this.#node(at);
    if (this.#dead.includes(old)) return; // another step of this batch restarts it
    this.#dead.push(old);
    if (crash) {
      old.sever();
    } else await old.room.agents.close();
    await this.#open(at);
  }

  /** Every device comes and takes what there is: nothing that was accepted is missing then. */
  async #finish(): Promise<void> {
    await this.#pass(1_000);
    for (const [at, client] of this.#clients.entries()) {
      await this.#connect({ do: "connect", device: at, node: 0, reject: false });
      for (let rounds = 0; rounds < 10_000; rounds += 1) {
        await settle();
        const { current } = client;
        const { last } = current ?? {};
        if (!current || !last || this.truth.states.get(last.id)?.status === "delivered") break;
        if (isSettled(this.truth.states.get(last.id)?.status ?? "waiting")) break;
        const answer = await current.inbox.ack({ id: last.id });
        if (!answer.accepted) {
          this.violations.push(`${last.id} could not be acknowledged at the end`);
          break;
        }
        this.#delivered.add(last.id);
      }
    }
    for (const [id, { status, attempt }] of this.truth.states) {
      if (!isSettled(status)) this.violations.push(`${id} is ${status} at the end`);
      if (attempt > 0 && status === "delivered" && !this.executed.has(id))
        this.violations.push(`${id} was never given to its device`);
    }
  }

  /** What a stopped, crashed or full node refuses is no violation. */
  async #unlessAway<T>(attempt: Promise<T>): Promise<T | undefined> {
    try {
      return await attempt;
    } catch (error) {
      const reason = (error as { reason?: string }).reason ?? "";
      if (
        ["unavailable", "duplicate-connection", "queue-full", "unknown-message", "invalid-input"].includes(
          reason,
        )
      )
        return undefined;
      throw error;
    }
  }
}
