/** A hub by itself over a journal, and watchers of it that read like a log. */
import { EventHub, type EventHubOptions, type EventTargets } from "../../src/events/hub.ts";
import type { Subscription } from "../../src/feed/subscription.ts";
import type { Journal } from "../../src/journal/journal.ts";
import { silentLogger } from "../../src/log.ts";
import type { EventFrame, HubEvent } from "../../src/protocol/envelope.ts";
import { isHubEvent } from "../../src/protocol/envelope.ts";
import type { TrackedFrame } from "../../src/protocol/frames.ts";
import { parsePosition } from "../../src/protocol/position.ts";
import { newOrder } from "./rule-engine.ts";

export const NOON = Date.UTC(2026, 7, 1, 12);
export const HOUR = 3_600_000;

export interface HubBench {
  readonly journal: Journal;
  readonly hub: EventHub;
  /** What the clocks say. */
  readonly time: { now: number };
  /** The projects of workspaces and sessions. */
  readonly projects: Map<string, string>;
}

const orders: { readonly dispose: () => void | Promise<void> }[] = [];

/** An order of the engine that the tests run on; closed with all others, after the last test. */
export async function hubOrder(): Promise<Journal> {
  const order = await newOrder();
  orders.push(order);
  return order.journal;
}

export async function closeHubOrders(): Promise<void> {
  for (const { dispose } of orders.splice(0)) await dispose();
}

export async function hubBench(
  options: Partial<EventHubOptions> & { readonly time?: { now: number } } = {},
): Promise<HubBench> {
  const { journal = await hubOrder(), time = { now: NOON }, ...rest } = options;
  await journal.open();
  const projects = new Map<string, string>();
  const hub = new EventHub({
    journal,
    logger: silentLogger,
    now: () => time.now,
    projectOf: ({ workspaceId = "", sessionId = "" }) => projects.get(workspaceId) ?? projects.get(sessionId),
    ...rest,
  });
  await hub.open();
  return { journal, hub, time, projects };
}

/** Takes frames when the test says so. */
export class EventWatcher {
  readonly subscription: Subscription<HubEvent, EventFrame>;
  readonly frames: TrackedFrame<EventFrame>[] = [];

  constructor(subscription: Subscription<HubEvent, EventFrame>) {
    this.subscription = subscription;
  }

  take(room = Number.POSITIVE_INFINITY): TrackedFrame<EventFrame>[] {
    const taken: TrackedFrame<EventFrame>[] = [];
    while (taken.length < room) {
      const frame = this.subscription.take();
      if (!frame) break;
      taken.push(frame);
      if (taken.length > 100_000) throw new Error("a subscription that never has nothing to say");
    }
    this.frames.push(...taken);
    return taken;
  }

  told(room?: number): string[] {
    return this.take(room).map(inWords);
  }

  get position(): string | undefined {
    return this.frames.at(-1)?.id;
  }
}

export async function listening(
  hub: EventHub,
  target: EventTargets,
  lastEventId?: string | null,
  types?: readonly string[],
): Promise<EventWatcher> {
  const subscription = hub.feed.join(hub.scopeOf(target, types));
  await hub.feed.begin(subscription, lastEventId);
  return new EventWatcher(subscription);
}

/** `sequence[.kind] what`; an event is its id. */
export function inWords({ id, data }: TrackedFrame<EventFrame>): string {
  const { sequence, kind } = parsePosition(id) ?? { sequence: Number.NaN };
  const at = `${sequence}${kind === undefined ? "" : `.${kind}`}`;
  if (isHubEvent(data)) return `${at} ${data.id}`;
  switch (data.type) {
    case "connection:status":
      return `${at} ${data.payload.status}${data.payload.reason === undefined ? "" : ` ${data.payload.reason}`}`;
    case "gap": {
      const { from, to, certain } = data.payload;
      const place = (position: string | null): string => `${parsePosition(position)?.sequence ?? position}`;
      return `${at} gap ${place(from)}-${place(to)}${certain ? "!" : "?"}`;
    }
    case "connection:ended":
      return `${at} ended ${data.payload.reason}`;
  }
}

/** An event that says little. */
export function little(
  id: string,
  about: { projectId?: string; workspaceId?: string; sessionId?: string } = {},
) {
  return {
    id,
    type: "system.heartbeat" as const,
    payload: { deviceId: "d", data: {} },
    ...about,
  };
}
