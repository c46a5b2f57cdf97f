/** Runs a random program on two nodes over one order, and checks at every frame and at the end. */
import { expect, vi } from "vitest";
import type { Journal } from "../../src/journal/journal.ts";
import { createMemoryJournal } from "../../src/journal/memory.ts";
import type { SnapwireOptions } from "../../src/snapwire.ts";
import { type Cluster, type ClusterNode, cluster, turn } from "./cluster.ts";
import { Client } from "./program-client.ts";
import { OrderModel } from "./program-order.ts";
import { CLIENTS, type Fault, type Step } from "./program-steps.ts";

export interface ProgramOptions {
  readonly steps: readonly Step[];
  /** How far apart sequences lie, in turn. */
  readonly gaps: readonly number[];
  readonly tombstonesPerScope: number;
  /** The order, opened and empty. @defaultValue one in memory */
  readonly journal?: Journal;
  /** Done before a node is started again. */
  readonly beforeRestart?: () => Promise<void>;
  /** Resolves when the engine has nothing under way: real work is not waited for in made-up time. */
  readonly idle?: () => Promise<void>;
}

/** With a real engine time is real, and most of what is waited for comes at once. */
const REAL_STEP_MS = 20;
const REAL_BEHIND_WAIT_MS = 200;

function timeGoesBy(ms: number): Promise<unknown> {
  if (vi.isFakeTimers()) return vi.advanceTimersByTimeAsync(ms);
  return new Promise((resolve) => setTimeout(resolve, Math.min(ms, REAL_STEP_MS)));
}

/** Until a promise has settled, time goes by. */
async function untilSettled(
  work: PromiseLike<unknown>,
  healing: () => void = () => undefined,
  idle: () => Promise<void> = async () => undefined,
): Promise<void> {
  let settled = false;
  const done = () => {
    settled = true;
  };
  work.then(done, done);
  for (let patience = 0; !settled; patience += 1) {
    if (patience > 200) throw new Error("something waits for ever");
    healing();
    await idle();
    await turn();
    if (!settled) await timeGoesBy(500);
  }
}

export async function runProgram(options: ProgramOptions): Promise<void> {
  await new Program(options).run();
}

class Program {
  readonly #options: ProgramOptions;
  readonly #orders: OrderModel[] = [];
  readonly #clients = CLIENTS.map((projectId) => new Client(projectId, { orders: this.#orders }));
  /** Writes, and nodes that follow again. */
  readonly #underWay: Promise<unknown>[] = [];
  readonly #nodes: ClusterNode[] = [];
  #cluster: Cluster | undefined;
  #given = 0;

  constructor(options: ProgramOptions) {
    this.#options = options;
  }

  async run(): Promise<void> {
    const { journal } = this.#options;
    const c = await cluster({ step: () => this.#gap(), ...(journal && { journal }) });
    try {
      await this.#run(c);
    } finally {
      await untilSettled(c[Symbol.asyncDispose](), undefined, this.#options.idle);
    }
  }

  async #run(c: Cluster): Promise<void> {
    this.#cluster = c;
    await OrderModel.following(c.journal, (order) => void this.#orders.push(order));
    for (let n = 0; n < 2; n += 1) this.#nodes.push(await c.node(this.#nodeOptions));
    for (const [index, client] of this.#clients.entries()) client.open(this.#node(index % 2), "nowhere", 0);
    await turn();
    for (const step of this.#options.steps) await this.#step(step);
    await this.#expectQuiet();
  }

  get #nodeOptions(): SnapwireOptions {
    const { tombstonesPerScope, journal } = this.#options;
    return { tombstonesPerScope, ...(journal && { behindWaitMs: REAL_BEHIND_WAIT_MS }) };
  }

  #gap(): number {
    const { gaps } = this.#options;
    return gaps[this.#given++ % Math.max(1, gaps.length)] ?? 1;
  }

  #node(index: number): ClusterNode {
    const node = this.#nodes[index];
    if (!node) throw new Error("there are two nodes");
    return node;
  }

  async #step(step: Step): Promise<void> {
    const c = this.#cluster;
    if (!c) throw new Error("not running");
    switch (step.do) {
      case "write": {
        const { live } = this.#node(step.node);
        const seen = step.age === 0 ? {} : { observedAt: c.now - step.age };
        this.#wrote(live.workspaces.upsert(step.workspace, step.patch, seen));
        return;
      }
      case "remove":
        this.#wrote(this.#node(step.node).live.workspaces.remove(step.workspace));
        return;
      case "open":
        this.#clients[step.client]?.open(this.#node(step.node), step.from, step.pick);
        return;
      case "take":
        this.#clients[step.client]?.take(step.room);
        return;
      case "drop":
        this.#clients[step.client]?.drop();
        return;
      case "prune":
        c.now += step.ms;
        this.#node(step.node)
          .live.workspaces.collection.prune()
          .catch(() => undefined);
        return;
      case "restart": {
        const { beforeRestart } = this.#options;
        if (beforeRestart) await beforeRestart();
        const restarting = this.#node(step.node).restart();
        await untilSettled(restarting, undefined, this.#options.idle);
        this.#nodes[step.node] = await restarting;
        return;
      }
      case "turn":
        return turn();
      case "hold":
      case "again":
      case "away":
      case "back":
      case "release":
      case "gate":
      case "let":
      case "lose":
      case "wait":
      case "replace":
        return this.#fault(step);
    }
  }

  async #fault(step: Fault): Promise<void> {
    if (step.do === "wait") return void (await timeGoesBy(step.ms));
    if (step.do === "replace") return this.#replace(step.backup);
    const { faults } = this.#node(step.node);
    switch (step.do) {
      case "hold":
        faults.hold();
        return;
      case "again":
        this.#underWay.push(faults.followAgain());
        return;
      case "away":
        faults.away("a storm");
        return;
      case "back":
        if (faults.awayBecause !== undefined) faults.back();
        return;
      case "release":
        faults.release(step.count);
        return;
      case "gate":
        faults[step.gate].held = true;
        return;
      case "let":
        faults[step.gate].releaseOne(step.index);
        return;
      case "lose": {
        const before = faults.fate;
        faults.fate = () => {
          faults.fate = before;
          return step.fate;
        };
      }
    }
  }

  #wrote(write: Promise<unknown>): void {
    const answered = write.catch((error: { reason?: string }) => {
      expect(REFUSALS, String(error)).toContain(error.reason);
    });
    this.#underWay.push(answered);
    answered.catch(() => undefined); // looked at in the end
  }

  /** Another order: an empty one, or this one as it was when it had so many records. */
  async #replace(backup: number | undefined): Promise<void> {
    const old = this.#orders.at(-1);
    if (!this.#cluster || !old) return;
    const journal = backup === undefined ? createMemoryJournal() : await this.#restored(old, backup);
    await journal.open();
    await OrderModel.following(journal, (order) => void this.#orders.push(order));
    await this.#cluster.replaceOrder(journal);
  }

  async #restored(old: OrderModel, count: number): Promise<Journal> {
    const newest = new Map(old.records.slice(0, count).map((record) => [record.key, record]));
    const saved = [...newest.values()].sort((a, b) => a.sequence - b.sequence);
    let at = 0;
    const next = { sequence: 0 };
    const journal = createMemoryJournal({
      step: () => {
        const step = next.sequence > at ? next.sequence - at : this.#gap();
        at += step;
        return step;
      },
    });
    await journal.open();
    for (const { key, body, sequence } of saved) {
      next.sequence = sequence;
      await journal.log("snapshots").append({ key, body, expect: 0, messageId: `backup ${sequence}` });
    }
    return journal;
  }

  /** The writers pause, the network heals: everybody knows the same, and nothing is left. */
  async #expectQuiet(): Promise<void> {
    const heal = () => {
      for (const { faults } of this.#nodes) faults.heal();
    };
    await untilSettled(Promise.all(this.#underWay), heal, this.#options.idle);
    await Promise.all(this.#underWay);
    for (let patience = 0; this.#clients.some(({ waiting }) => waiting); patience += 1) {
      if (patience > 100) throw new Error("a client waits for ever");
      await this.#options.idle?.();
      await turn();
      await timeGoesBy(500);
    }
    const order = this.#orders.at(-1);
    for (const [index, client] of this.#clients.entries()) {
      if (client.failed || !client.node || !this.#nodes.includes(client.node)) {
        client.open(this.#node(index % 2), "own", 0);
        await turn();
      }
      client.take(Number.POSITIVE_INFINITY);
      client.expectConverged();
    }
    for (const { live } of this.#nodes) {
      expect(live.workspaces.collection.head).toBe(order?.head);
      for (const projectId of new Set(CLIENTS)) {
        const entries = live.workspaces.getByProjectId(projectId);
        const shown = new Map(
          entries.map(({ workspaceId, version, name }) => [workspaceId, { version, name }]),
        );
        expect(shown, "P3 the store").toEqual(order?.shownAt(projectId, order.head));
      }
    }
    for (const client of this.#clients) client.drop();
    for (const { live } of this.#nodes) {
      expect(live.feed.size, "P8").toBe(0);
      expect(live.workspaces.collection.waiting, "P8").toBe(0);
    }
  }
}

/** What a write may be refused for in these programs; anything else is a defect. */
const REFUSALS = ["project-required", "unavailable", "outcome-unknown", "conflict"];
