/**
 * Random programs of senders and devices over one order: nodes that stop and crash, inboxes that drop and take over,
 * acks of every kind. What is right is read from the journal alone, by a follower that knows nothing of the room.
 */
import type { AgentsRoom, AgentsRoomOptions } from "../../src/agents/agents.ts";
import { isSent, isSettled } from "../../src/agents/message.ts";
import { type Journal, JournalUnavailable } from "../../src/journal/journal.ts";
import type { InboxMessage } from "../../src/protocol/agents.ts";
import { Device, openRoom, settle, type TestRoom } from "./agents.ts";
import { DEVICES, type Step } from "./agents-program-steps.ts";
import { attemptOf, Truth } from "./agents-truth.ts";
import { memoryOrder, type NewOrder, type TestOrder } from "./nodes-orders.ts";
import { Quiet } from "./nodes-quiet.ts";

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
  /** The order as this node has it. */
  journal: Journal;
  sever: () => void;
  /** Resolves with its crash: whoever asked it for something is not answered any more. */
  crashed: Promise<undefined>;
  crash: () => void;
}

export interface ProgramOptions {
  readonly nodes: number;
  /** Time goes on. */
  readonly pass: (ms: number) => Promise<void>;
  /** Another engine, whose nodes may hear late of what was committed. @defaultValue memory */
  readonly newOrder?: NewOrder;
  readonly room?: Partial<AgentsRoomOptions>;
}

/** A device as the program sees it: the connection that it has now, and all that it ever had. */
interface Client {
  readonly deviceId: string;
  current: Device | undefined;
  /** Where it is connected. */
  at: Node | undefined;
  readonly past: Device[];
}

export class Program {
  readonly violations: string[] = [];
  readonly truth = new Truth();
  /** Resolves when what crashed holds nothing any more. */
  buried: Promise<unknown> = Promise.resolve();
  readonly #options: ProgramOptions;
  /** What a node does is looked at when the order has been heard, not in the turn in which it does it. */
  readonly #lags: boolean;
  #order: TestOrder | undefined;
  #quiet: Quiet | undefined;
  readonly #nodes: Node[] = [];
  readonly #dead: Node[] = [];
  readonly #clients: Client[] = Array.from({ length: DEVICES }, (_, i) => ({
    deviceId: `d${i}`,
    current: undefined,
    at: undefined,
    past: [],
  }));
  /** The message of each client key. */
  readonly #ofKey = new Map<string, string>();
  readonly #attempts = new Map<string, number>();
  readonly #delivered = new Set<string>();
  /** What was handed to a device at all. */
  readonly executed = new Set<string>();

  /** What was handed over, and under which lease. */
  readonly #handovers = new Map<string, number>();

  constructor(options: ProgramOptions) {
    this.#options = options;
    this.#lags = options.newOrder !== undefined;
  }

  async run(program: readonly (readonly Step[])[]): Promise<void> {
    const order = await (this.#options.newOrder ?? memoryOrder())();
    this.#order = order;
    if (this.#lags) this.#quiet = new Quiet(order.witness);
    await this.truth.follow(this.#quiet?.over(order.witness) ?? order.witness);
    for (let i = 0; i < this.#options.nodes; i += 1) await this.#open(i);
    for (const [at, batch] of program.entries()) {
      await Promise.all(batch.map((one) => this.#step(one)));
      if (this.#lags && at % 3 !== 0)
        await order.answered(); // what it led to is still on its way
      else await this.#settle();
    }
    await this.#finish();
  }

  async close(): Promise<void> {
    const dead = this.#dead.map(({ room }) => room.agents.close());
    for (const { room } of this.#nodes) await room.agents.close();
    this.buried = Promise.all(dead);
    // One that crashed waits some seconds for answers that do not come: its end is not waited for.
    if (!this.#lags) await this.buried;
    await this.#order?.close();
  }

  async #settle(): Promise<void> {
    await settle();
    await this.#quiet?.now();
  }

  async #open(at: number): Promise<void> {
    const order = this.#order;
    if (!order) throw new Error("the program has not begun");
    const journal = await order.node();
    const { journal: own, sever } = severable(this.#quiet?.over(journal) ?? journal, this.#options.nodes > 1);
    const room = await openRoom({ ...this.#options.room, journal: own });
    let crash = (): void => undefined;
    const crashed = new Promise<undefined>((resolve) => {
      crash = () => resolve(undefined);
    });
    this.#nodes[at] = { room, journal, sever, crashed, crash };
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
        return this.#drop(this.#client(one.device));
      case "ack":
        return this.#ack(one);
      case "old-ack":
        return this.#oldAck(one);
      case "resend":
        return this.#resend(one.pick);
      case "pass":
        return this.#options.pass(one.seconds * 1_000);
      case "restart":
        return this.#restart(one);
    }
  }

  async #drop({ current, at }: Client): Promise<void> {
    if (current && at) await this.#unlessAway(at, () => current.inbox.close());
  }

  async #send({ device, node, key }: Extract<Step, { do: "send" }>): Promise<void> {
    const { deviceId } = this.#client(device);
    const clientKey = key === null ? undefined : `k${key}`;
    const request = { deviceId, text: "t", clientKey, waitMs: 0 };
    const sent = await this.#unlessAway(this.#node(node), (agents) => agents.send(request));
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
    const at = this.#node(node);
    const inbox = await this.#unlessAway(at, (agents) => agents.connect({ deviceId, policy }));
    if (!inbox) return;
    const connection = new Device(inbox);
    const before = client.current;
    if (before && before.inbox.lease > inbox.lease) return; // of two that came at once this one is the older
    if (before) client.past.push(before);
    client.current = connection;
    client.at = at;
    connection.onMessage = (message) => this.#handed(client, connection, message);
  }

  /** P12, looked at in the turn in which a device gets a message. */
  #handed({ deviceId }: Client, connection: Device, { id, attempt }: InboxMessage): void {
    this.executed.add(id);
    if (this.#lags) {
      const handover = attemptOf(id, attempt);
      if (this.#handovers.has(handover)) this.violations.push(`${handover} was handed over twice`);
      this.#handovers.set(handover, connection.inbox.lease);
      return;
    }
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
    const answer = await this.#unlessAway(this.#node(node), (agents) => agents.ack(ack));
    if (!answer) return;
    if (this.#lags) {
      if (answer.accepted && outcome === "ok") this.#delivered.add(last.id);
      return;
    }
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
    const answer = await this.#unlessAway(this.#node(pick), (agents) => agents.ack(ack));
    if (this.#lags) {
      if (!answer?.accepted) return;
      await this.#settle();
      const { status, lease } = this.truth.states.get(message.id) ?? {};
      if (status !== "delivered" || lease !== old.inbox.lease)
        this.violations.push(
          `the lease ${old.inbox.lease} settled ${message.id}, which is ${status} under ${lease}`,
        );
      return;
    }
    // One that this very lease had settled before is only said again.
    const wasItsOwn = before?.lease === old.inbox.lease && before.status === "delivered";
    if (answer?.accepted && !wasItsOwn) this.violations.push(`an old lease settled ${message.id}`);
  }

  async #resend(pick: number): Promise<void> {
    const dead = [...this.truth.states].filter(
      ([, { status }]) => status === "failed" || status === "expired",
    );
    const [id] = dead[pick % Math.max(1, dead.length)] ?? [];
    if (id !== undefined) await this.#unlessAway(this.#node(pick), (agents) => agents.resend(id));
  }

  async #restart({ node, crash }: Extract<Step, { do: "restart" }>): Promise<void> {
    const at = node % this.#nodes.length;
    const old = this.#node(at);
    if (this.#dead.includes(old)) return; // another step of this batch restarts it
    this.#dead.push(old);
    if (crash) {
      old.sever();
      old.crash();
    } else await old.room.agents.close();
    this.#quiet?.forget(old.journal);
    await this.#order?.ended(old.journal);
    await this.#open(at);
  }

  /** Every device comes and takes what there is: nothing that was accepted is missing then. */
  async #finish(): Promise<void> {
    await this.#options.pass(1_000);
    for (const [at, client] of this.#clients.entries()) {
      await this.#connect({ do: "connect", device: at, node: 0, reject: false });
      for (let rounds = 0; rounds < 10_000; rounds += 1) {
        await this.#settle();
        const { current } = client;
        const lane = this.truth.lanes.get(client.deviceId) ?? [];
        if (!current || lane.every((id) => isSettled(this.truth.states.get(id)?.status ?? "waiting"))) break;
        const { last } = current;
        if (!last || isSettled(this.truth.states.get(last.id)?.status ?? "waiting")) continue; // it is on its way
        const answer = await current.inbox.ack({ id: last.id });
        if (!answer.accepted) {
          this.violations.push(`${last.id} could not be acknowledged at the end`);
          break;
        }
        this.#delivered.add(last.id);
      }
    }
    await this.#settle();
    this.violations.push(...this.truth.violations);
    for (const id of this.#delivered) {
      const { status } = this.truth.states.get(id) ?? {};
      if (status !== "delivered") this.violations.push(`${id} is ${status} after its ack was accepted`);
    }
    for (const [handover, lease] of this.#handovers) {
      const sent = this.truth.sent.get(handover);
      if (sent !== lease) this.violations.push(`${handover} came under ${lease}, and was sent under ${sent}`);
    }
    for (const [id, { status, attempt }] of this.truth.states) {
      if (!isSettled(status)) this.violations.push(`${id} is ${status} at the end`);
      if (attempt > 0 && status === "delivered" && !this.executed.has(id))
        this.violations.push(`${id} was never given to its device`);
    }
  }

  /** What a stopped, crashed or full node refuses is no violation. */
  async #unlessAway<T>(at: Node, ask: (agents: AgentsRoom) => Promise<T>): Promise<T | undefined> {
    try {
      return await Promise.race([ask(at.room.agents), at.crashed]);
    } catch (error) {
      const reason = (error as { reason?: string }).reason ?? "";
      if (
        [
          "unavailable",
          "duplicate-connection",
          "queue-full",
          "unknown-message",
          "invalid-input",
          ...(this.#lags ? ["outcome-unknown"] : []),
        ].includes(reason)
      )
        return undefined;
      throw error;
    }
  }
}
