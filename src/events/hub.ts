/** events: what happened, told to everybody whom it concerns. See README.md of this room. */
import { OrderedLog } from "../collection/log.ts";
import { Pruner } from "../collection/pruner.ts";
import { Feed } from "../feed/feed.ts";
import type { Freshness } from "../feed/frames.ts";
import { iterate } from "../feed/iterate.ts";
import { LogSubscription } from "../feed/log-subscription.ts";
import type { Journal } from "../journal/journal.ts";
import type { Logger } from "../log.ts";
import type { EventFrame, EventScope, HostEvent, HubEvent, PublishableEvent } from "../protocol/envelope.ts";
import { SnapwireError } from "../protocol/errors.ts";
import type { TrackedFrame } from "../protocol/frames.ts";
import { formatPosition } from "../protocol/position.ts";
import { type DraftingOptions, draftOf } from "./drafting.ts";
import { type EventsOptions, eventLimits } from "./options.ts";
import { bodyOf, type Draft, itemOf } from "./stored.ts";
import { type AuthorisedTarget, type EventTarget, MAX_TARGETS, queryOf, scopeName } from "./targets.ts";
import { EventTypes } from "./types.ts";
import { createUlid, type UlidOptions } from "./ulid.ts";
import { eventWording } from "./wording.ts";

export interface EventHubOptions extends EventsOptions {
  readonly journal: Journal;
  readonly logger: Logger;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** The project of a workspace or session, as far as it is known here. */
  readonly projectOf: (scope: EventScope) => string | undefined;
  readonly random?: UlidOptions["random"];
  readonly behindWaitMs?: number | undefined;
}

export interface PublishedEvent {
  readonly id: string;
  /** Where a subscriber stands that has been told of it, or would have been. */
  readonly position: string;
  /** An event of that id was stored already: this one was not, and nothing was told. */
  readonly duplicate: boolean;
}

export interface Ingested {
  readonly ingested: number;
  /** Whose ids were known already. */
  readonly duplicates: number;
}

/** One target, or a union of several. */
export type EventTargets = EventTarget | { readonly targets: readonly EventTarget[] };

export type RecentQuery = EventTargets & {
  readonly types?: readonly string[];
  /** At most this many, the newest. @defaultValue 100 */
  readonly limit?: number;
};

export interface WatchOptions {
  /** The position of the last frame; what came after it follows. */
  readonly lastEventId?: string | null | undefined;
  /** @defaultValue all of them */
  readonly types?: readonly string[];
  readonly signal?: AbortSignal;
}

export interface RecentEvents {
  /** Subscribe from here: what comes after these, each once. */
  readonly position: string;
  /** Oldest first. */
  readonly events: readonly HubEvent[];
}

export interface EventStats {
  readonly subscriptions: number;
  /** Frames handed to subscribers. */
  readonly deliveries: number;
  readonly resumes: number;
  readonly gaps: number;
  /** Events that were stored by this node. */
  readonly published: number;
  readonly duplicates: number;
  readonly retained: number;
  readonly retainedBytes: number;
}

const COLLECTION = "events";
/** The version of what an event looks like: another one makes every position foreign. */
const REVISION = "1";
export const MAX_RECENT = 1_000;
const RECENT = 100;
export const MAX_INGEST = 500;

export class EventHub {
  readonly feed: Feed<HubEvent, EventFrame>;
  readonly log: OrderedLog<HubEvent>;
  readonly types: EventTypes;
  readonly #drafting: DraftingOptions;
  readonly #now: () => number;
  readonly #pruner: Pruner;
  #freshness: Freshness | undefined;
  #isOpen = false;
  #published = 0;
  #duplicates = 0;

  constructor(options: EventHubOptions) {
    const { journal, logger, now, behindWaitMs } = options;
    const { eventsPerProject, eventsForMs, eventsInAll, eventBytesInAll } = eventLimits(options);
    this.types = new EventTypes(options.types);
    this.#now = now;
    this.#drafting = {
      types: this.types,
      newId: createUlid({ now, ...(options.random && { random: options.random }) }),
      now,
      projectOf: options.projectOf,
    };
    this.log = new OrderedLog<HubEvent>({
      name: COLLECTION,
      journal,
      revision: REVISION,
      now,
      logger,
      limits: {
        perScope: eventsPerProject,
        forMs: eventsForMs,
        inAll: eventsInAll,
        bytesInAll: eventBytesInAll,
      },
      itemOf,
      queryOf,
      tell: (_, scopes) => {
        this.#pruner.touch();
        for (const scope of scopes) this.feed.wake(scope);
      },
      tellFloors: (scopes) => {
        this.#pruner.touch();
        for (const scope of scopes) this.feed.wake(scope);
      },
      tellStatus: (fresh, reason) => this.#tellStatus(fresh, reason),
    });
    const wording = eventWording(now);
    this.feed = new Feed<HubEvent, EventFrame>({
      collection: this.log,
      subscribe: (parts) => new LogSubscription<HubEvent, EventFrame>(parts, wording),
      complete: () => true,
      freshness: () => this.#freshness,
      ...(behindWaitMs === undefined ? {} : { behindWaitMs }),
    });
    this.#pruner = new Pruner({
      count: () => this.log.size,
      prune: () => this.log.trim(),
      onError: (error) => logger.error({ error }, "events were not trimmed"),
    });
  }

  async open(): Promise<void> {
    await this.log.open();
    this.#isOpen = true;
  }

  /** Ends the subscriptions, refuses later events, waits for those in flight. */
  async close(): Promise<void> {
    this.#isOpen = false;
    this.#pruner.stop();
    this.feed.close();
    await this.log.close();
  }

  /**
   * Stores an event and tells it. Resolves when it has been told here.
   * @throws {@link SnapwireError} `invalid-input`; `unavailable` when it was not stored; `outcome-unknown` when that is
   * not known: publish it again with the same id.
   */
  async publish(event: PublishableEvent | HostEvent): Promise<PublishedEvent> {
    return this.append(this.draft(event));
  }

  /** Several, in their order. All are checked before the first is stored. */
  async ingest(events: readonly (PublishableEvent | HostEvent)[]): Promise<Ingested> {
    return this.appendAll(events.map((event) => this.draft(event)));
  }

  /** The newest retained events of a target, and the position to follow it from. */
  recent({ types, limit = RECENT, ...target }: RecentQuery): RecentEvents {
    return this.recentOf(this.scopeOf(target as EventTargets, types), limit);
  }

  /** Listens, as a subscription does: `for await (const { id, data } of live.events.watch({ scope: "all" }))`. */
  async *watch(target: EventTargets, options: WatchOptions = {}): AsyncGenerator<TrackedFrame<EventFrame>> {
    this.#assertOpen();
    const subscription = this.feed.join(this.scopeOf(target, options.types));
    yield* iterate(subscription, {
      begin: () => this.feed.begin(subscription, options.lastEventId),
      signal: options.signal,
    });
  }

  /** The name of a target set, without a limit of rights: what the feed joins. */
  scopeOf(target: EventTargets, types?: readonly string[]): string {
    const targets = "targets" in target ? target.targets : [target];
    return this.scopeOfAuthorised(targets.map(unlimited), types);
  }

  scopeOfAuthorised(targets: readonly AuthorisedTarget[], types?: readonly string[]): string {
    if (targets.length === 0 || targets.length > MAX_TARGETS)
      throw new SnapwireError("invalid-input", `A subscription has 1 to ${MAX_TARGETS} targets.`);
    for (const type of types ?? []) this.types.assertKnown(type);
    return scopeName(targets, types);
  }

  /** @param scope - What {@link scopeOf} answered. */
  recentOf(scope: string, limit = RECENT): RecentEvents {
    this.#assertOpen();
    const nodes = this.log.view(scope).newest(Math.min(limit, MAX_RECENT));
    return {
      position: formatPosition(this.log.tagOf(), this.log.head),
      events: nodes.map(({ entry }) => entry),
    };
  }

  /** The project that something belongs to, as far as it is known here. */
  projectOf(scope: EventScope): string | undefined {
    return this.#drafting.projectOf(scope);
  }

  /** What an event will be, checked and put where it belongs; nothing is stored. */
  draft(event: unknown): Draft {
    return draftOf(event, this.#drafting);
  }

  /** Stores what {@link draft} answered. */
  async append(draft: Draft): Promise<PublishedEvent> {
    this.#assertOpen();
    const { sequence, duplicate } = await this.log.append(draft.id, bodyOf(draft, this.#now()));
    if (duplicate) this.#duplicates += 1;
    else this.#published += 1;
    return { id: draft.id, position: formatPosition(this.log.tagOf(), sequence), duplicate };
  }

  /** Each append is sent before the first is answered, so that they stand in their order and cost one round trip. */
  async appendAll(drafts: readonly Draft[]): Promise<Ingested> {
    const appended = await Promise.allSettled(drafts.map((draft) => this.append(draft)));
    let duplicates = 0;
    for (const outcome of appended) {
      if (outcome.status === "rejected") throw outcome.reason;
      if (outcome.value.duplicate) duplicates += 1;
    }
    return { ingested: drafts.length - duplicates, duplicates };
  }

  stats(): EventStats {
    const { deliveries, resumes, gaps } = this.feed.counters;
    return {
      subscriptions: this.feed.size,
      deliveries,
      resumes,
      gaps,
      published: this.#published,
      duplicates: this.#duplicates,
      retained: this.log.size,
      retainedBytes: this.log.bytes,
    };
  }

  #assertOpen(): void {
    if (!this.#isOpen) throw new SnapwireError("unavailable", "The service is not running; try again later.");
  }

  #tellStatus(fresh: boolean, reason: string | undefined): void {
    if (fresh === (this.#freshness?.fresh ?? true) && reason === this.#freshness?.reason) return;
    this.#freshness = {
      fresh,
      ...(reason === undefined ? {} : { reason }),
      since: new Date(this.#now()).toISOString(),
    };
    this.feed.wakeAll();
  }
}

function unlimited(target: EventTarget): AuthorisedTarget {
  if ("projectId" in target) return { of: "project", id: target.projectId };
  if ("workspaceId" in target) return { of: "workspace", id: target.workspaceId };
  if ("sessionId" in target) return { of: "session", id: target.sessionId };
  return { of: "all" };
}
