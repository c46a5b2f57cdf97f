/**
 * Random programs for the hub: two nodes over one order, clients that drop, come back and dawdle, an order that forgets
 * and is replaced. The model is a plain list of what was committed, checked after every delivered frame.
 */
import { positionTag } from "../../src/collection/tag.ts";
import { EventHub, type EventTargets } from "../../src/events/hub.ts";
import type { Subscription } from "../../src/feed/subscription.ts";
import { type Journal, JournalUnavailable } from "../../src/journal/journal.ts";
import { silentLogger } from "../../src/log.ts";
import type { EventFrame, HubEvent, PublishableEvent } from "../../src/protocol/envelope.ts";
import type { TrackedFrame } from "../../src/protocol/frames.ts";
import { parsePosition } from "../../src/protocol/position.ts";
import type { EventStep } from "./event-program-steps.ts";
import { JournalFaults, withFaults } from "./faulty-journal.ts";
import { HOUR, little, NOON } from "./hub-watchers.ts";
import { memoryOrder, type NewOrder, type TestOrder, Witness } from "./nodes-orders.ts";

const PROJECTS = ["p", "p-q", undefined] as const;
const TYPES = ["system.heartbeat", "skill.invoke"] as const;
const TARGETS: readonly EventTargets[] = [
  { scope: "all" },
  { projectId: "p" },
  { projectId: "p-q" },
  { workspaceId: "w0" },
  { sessionId: "s1" },
  { targets: [{ projectId: "p" }, { workspaceId: "w1" }] },
];

interface Committed {
  readonly sequence: number;
  readonly id: string;
  readonly type: string;
  readonly projectId?: string;
  readonly workspaceId?: string;
  readonly sessionId?: string;
}

class ModelClient {
  readonly target: EventTargets;
  readonly types: readonly string[] | undefined;
  position: string | undefined;
  subscription: Subscription<HubEvent, EventFrame> | undefined;

  constructor(target: EventTargets, types: readonly string[] | undefined) {
    this.target = target;
    this.types = types;
  }

  wants(event: Committed): boolean {
    if (this.types && !this.types.includes(event.type)) return false;
    const targets = "targets" in this.target ? this.target.targets : [this.target];
    return targets.some((target) => {
      if ("scope" in target) return true;
      if ("projectId" in target) return event.projectId === target.projectId;
      return "workspaceId" in target
        ? event.workspaceId === target.workspaceId
        : event.sessionId === target.sessionId;
    });
  }
}

export interface ProgramOptions {
  /** How far the next sequence lies above the last. */
  readonly step?: () => number;
  /** Floors are folded above so many. */
  readonly eventsPerProject: number;
  /** Another engine. @defaultValue memory, with steps */
  readonly newOrder?: NewOrder;
}

interface Order {
  readonly order: TestOrder;
  readonly witness: Witness;
}

interface Node {
  readonly hub: EventHub;
  readonly faults: JournalFaults;
  /** The order as this node has it. */
  journal: Journal;
}

export class EventProgram {
  readonly #options: ProgramOptions;
  readonly #time = { now: NOON };
  /** What was committed, by the tag of the order. */
  readonly #orders = new Map<string, Committed[]>();
  readonly #nodes: Node[] = [];
  readonly #clients: ModelClient[] = [];
  readonly #pending = new Set<Promise<unknown>>();
  /** Of what every order holds, by its tag. */
  readonly #witnesses = new Map<string, Witness>();
  readonly #old: TestOrder[] = [];
  #current: Order | undefined;
  /** For people: how often something was seen, so that a test can tell that it was. */
  readonly seen = { events: 0, gaps: 0, certain: 0, resumed: 0 };

  constructor(options: ProgramOptions) {
    this.#options = options;
  }

  async run(steps: readonly EventStep[]): Promise<void> {
    this.#current = await this.#newOrder();
    try {
      for (let at = 0; at < 2; at += 1) this.#nodes.push(await this.#start(await this.#order.node()));
      for (const step of steps) {
        await this.#do(step);
        await turn();
        await this.#order.answered();
      }
      await this.#settle();
    } finally {
      for (const order of [...this.#old, this.#order]) await order.close();
    }
  }

  get #order(): TestOrder {
    if (!this.#current) throw new Error("the program has not begun");
    return this.#current.order;
  }

  async #newOrder(): Promise<Order> {
    const { step, newOrder = memoryOrder(step ? { step } : {}) } = this.#options;
    const order = await newOrder();
    const committed: Committed[] = [];
    const witness = new Witness(order.witness.log("events"));
    await witness.follow(
      ({ key, sequence, body }) =>
        void committed.push({ ...(body as object), id: key, sequence } as Committed),
    );
    const tag = positionTag(witness.epoch, "1", "events", "");
    this.#orders.set(tag, committed);
    this.#witnesses.set(tag, witness);
    return { order, witness };
  }

  async #start(journal: Journal): Promise<Node> {
    const faults = new JournalFaults();
    const hub = new EventHub({
      journal: ofOneOrder(withFaults(journal, faults), faults),
      logger: silentLogger,
      now: () => this.#time.now,
      projectOf: () => undefined,
      eventsPerProject: this.#options.eventsPerProject,
      behindWaitMs: 60_000,
    });
    await hub.open();
    return { hub, faults, journal };
  }

  #background(work: Promise<unknown>): void {
    const done: Promise<unknown> = work.catch(() => undefined).finally(() => this.#pending.delete(done));
    this.#pending.add(done);
  }

  async #do(step: EventStep): Promise<void> {
    const at = "node" in step ? this.#nodes[step.node] : undefined;
    switch (step.do) {
      case "publish": {
        const projectId: string | undefined = PROJECTS[step.project];
        const work = at?.hub.publish({
          ...little(`e${step.id}`),
          type: step.type === 0 ? TYPES[0] : TYPES[1],
          ...(projectId === undefined ? {} : { projectId }),
          ...(step.place < 3 ? { workspaceId: `w${step.place}` } : {}),
          ...(step.place % 2 === 1 ? { sessionId: `s${step.place}` } : {}),
        } as PublishableEvent);
        if (work) this.#background(work);
        return;
      }
      case "open": {
        const client = new ModelClient(
          TARGETS[step.target] ?? { scope: "all" },
          step.typed ? [TYPES[0]] : undefined,
        );
        this.#clients.push(client);
        if (at) this.#join(client, at.hub);
        return;
      }
      case "take":
        return this.#take(this.#clients[step.client], step.room);
      case "drop":
        this.#clients[step.client]?.subscription?.close();
        return;
      case "resume": {
        const client = this.#clients[step.client];
        if (client && at && (client.subscription?.closed ?? true)) this.#join(client, at.hub);
        return;
      }
      case "trim":
        if (at) this.#background(at.hub.log.trim());
        return;
      case "hold":
        at?.faults.hold();
        return;
      case "release":
        at?.faults.release();
        return;
      case "follow-again":
        if (at) this.#background(at.faults.followAgain());
        return;
      case "lose-ack": {
        if (!at) return;
        let lost = false;
        at.faults.fate = () => {
          const fate = lost ? "answered" : "ack-lost";
          lost = true;
          return fate;
        };
        return;
      }
      case "restart": {
        if (!at) return;
        at.faults.heal();
        await at.hub.close();
        await this.#order.ended(at.journal);
        this.#nodes[step.node] = await this.#start(await this.#order.node());
        return;
      }
      case "wait":
        this.#time.now += step.hours * HOUR;
        return;
      case "replace-order": {
        this.#old.push(this.#order);
        this.#current = await this.#newOrder();
        for (const node of this.#nodes) {
          node.journal = await this.#order.node();
          this.#background(node.faults.replaceOrder(node.journal));
        }
        return;
      }
    }
  }

  #join(client: ModelClient, hub: EventHub): void {
    const subscription = hub.feed.join(hub.scopeOf(client.target, client.types));
    client.subscription = subscription;
    this.#background(hub.feed.begin(subscription, client.position));
  }

  async #take(client: ModelClient | undefined, room: number): Promise<void> {
    for (let taken = 0; client && taken < room; taken += 1) {
      const frame = client.subscription?.take();
      if (!frame) return;
      const at = parsePosition(frame.id);
      await this.#witnesses.get(at?.tag ?? "")?.reached(at?.sequence ?? 0);
      this.#check(client, frame);
      client.position = frame.id;
    }
  }

  #check(client: ModelClient, { id, data }: TrackedFrame<EventFrame>): void {
    const to = parsePosition(id);
    const from = parsePosition(client.position);
    if (!to) throw new Error(`not a position: ${id}`);
    if (data.type === "connection:status") {
      if (from && (to.tag !== from.tag || to.sequence !== from.sequence))
        throw new Error(`the status stands at ${id}, the client at ${client.position}`);
      if (from) this.seen.resumed += 1;
      return;
    }
    const wanted = this.#between(client, to.tag, from?.tag === to.tag ? from.sequence : 0, to.sequence);
    if (data.type === "gap") {
      this.seen.gaps += 1;
      const { from: said, certain } = data.payload;
      const saidAt = parsePosition(said);
      if (saidAt?.tag !== from?.tag || saidAt?.sequence !== from?.sequence)
        throw new Error(`the gap begins at ${said}, the client stands at ${client.position}`);
      if (certain) this.seen.certain += 1;
      if (certain && wanted.length === 0) throw new Error("a certain gap in which nothing is missing");
      if (!certain && from?.tag === to.tag && "projectId" in client.target)
        throw new Error("a project's own gap that is not certain");
      return;
    }
    if (data.type === "connection:ended") throw new Error("nobody ended it");
    this.seen.events += 1;
    if (from?.tag !== to.tag) throw new Error("an event of another order without a gap before it");
    if (to.sequence <= from.sequence) throw new Error(`${id} after ${client.position}`);
    const told = wanted.at(-1);
    if (wanted.length !== 1 || told?.id !== data.id || told.sequence !== to.sequence)
      throw new Error(`${id} is ${data.id}; expected ${JSON.stringify(wanted)}`);
  }

  /** What the client would have to be told above `from`, up to `to`. */
  #between(client: ModelClient, tag: string, from: number, to: number): readonly Committed[] {
    return (this.#orders.get(tag) ?? []).filter(
      (event) => event.sequence > from && event.sequence <= to && client.wants(event),
    );
  }

  /** Nothing is held back any more: everybody catches up, with nothing missing that no gap named. */
  async #settle(): Promise<void> {
    for (const { faults } of this.#nodes) faults.heal();
    while (this.#pending.size > 0) await Promise.all(this.#pending);
    for (const client of this.#clients) {
      if (client.subscription?.closed ?? true) this.#join(client, (this.#nodes[0] as { hub: EventHub }).hub);
    }
    while (this.#pending.size > 0) await Promise.all(this.#pending);
    const head = (await this.#current?.witness.caughtUp()) ?? 0;
    for (const { hub } of this.#nodes) await hub.log.applied(head);
    for (const client of this.#clients) {
      await this.#take(client, 10_000);
      if (client.subscription?.pending) throw new Error("it has something to say that it does not say");
      const at = parsePosition(client.position);
      const left = this.#between(client, at?.tag ?? "", at?.sequence ?? 0, Number.POSITIVE_INFINITY);
      if (left.length > 0) throw new Error(`never told: ${JSON.stringify(left)}`);
      client.subscription?.close();
    }
    for (const { hub } of this.#nodes) {
      if (hub.feed.size + hub.feed.watchedScopes + hub.log.views !== 0) throw new Error("something is left");
      await hub.close();
    }
  }
}

/** A node that has not heard that its order was replaced hears nothing of the other one and changes nothing there. */
function ofOneOrder(journal: Journal, faults: JournalFaults): Journal {
  const refuse = (): void => {
    if ([...faults.followers].some(({ follows }) => follows !== faults.inner))
      throw new JournalUnavailable("the order was replaced", { inDoubt: false });
  };
  return {
    ...journal,
    log: (collection) => {
      const log = journal.log(collection);
      return {
        ...log,
        head: async () => {
          refuse();
          return log.head();
        },
        raiseFloor: async (scope, floor) => {
          refuse();
          await log.raiseFloor(scope, floor);
        },
        dropRecords: async (records) => {
          refuse();
          await log.dropRecords(records);
        },
      };
    },
  };
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
