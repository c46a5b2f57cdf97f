/** Callers of the own router, and what a subscription told them. */
import {
  createSnapwireRouter,
  type Identity,
  type Role,
  type SnapshotFrame,
  type Snapwire,
  type SnapwireContext,
  type SnapwireOptions,
} from "../../src/index.ts";
import type { TrackedFrame } from "../../src/protocol/frames.ts";
import { unwrap } from "../../src/testing.ts";
import { prepared } from "./store-parts.ts";

export const identity = (role: Role, projects: Identity["projects"] = "*"): Identity => ({
  subject: `a ${role}`,
  role,
  projects,
});

export const ADMIN = identity("admin");

export async function routed(
  options: SnapwireOptions & { readonly recheckEveryMs?: number; readonly start?: boolean } = {},
) {
  const { recheckEveryMs, start = true, ...snapwire } = options;
  const service = prepared(snapwire);
  if (start) await service.live.start();
  const router = createSnapwireRouter({
    live: service.live,
    logger: service.log.logger,
    ...(recheckEveryMs === undefined ? {} : { recheckEveryMs }),
  });
  const as = (who: Identity | null, more: Partial<SnapwireContext> & { signal?: AbortSignal } = {}) => {
    const { signal, ...ctx } = more;
    return router.createCaller({ identity: who, ...ctx }, signal === undefined ? {} : { signal });
  };
  return { ...service, workspaces: service.live.workspaces, router, as };
}

export interface Followed<Frame> {
  readonly frames: TrackedFrame<Frame>[];
  /** What each frame says, without its position. */
  readonly data: () => Frame[];
  readonly lastId: () => string | undefined;
  /** Resolves when the subscription has ended by itself or by the signal; rejects with what it threw. */
  readonly over: Promise<void>;
  readonly isOver: () => boolean;
}

/** Takes whatever a subscription yields, until it ends. */
export function follow<Frame>(
  iterable: AsyncIterable<TrackedFrame<Frame>> | PromiseLike<AsyncIterable<TrackedFrame<Frame>>>,
): Followed<Frame> {
  const frames: TrackedFrame<Frame>[] = [];
  let isOver = false;
  const run = async (): Promise<void> => {
    try {
      for await (const frame of unwrap(iterable)) frames.push(frame);
    } finally {
      isOver = true;
    }
  };
  const over = run();
  over.catch(() => undefined); // a test that does not look at the end is not failed by it
  return {
    frames,
    data: () => frames.map(({ data }) => data),
    lastId: () => frames.at(-1)?.id,
    over,
    isOver: () => isOver,
  };
}

/** Short words for frames: `full first w v`, `changed w`, `removed w`, `resumed 1`, `status false`, ... */
export const worded = (frames: readonly SnapshotFrame[]): string[] => frames.map(wordsOf);

function wordsOf(frame: SnapshotFrame): string {
  switch (frame.type) {
    case "snapshot_full":
      return ["full", frame.reason, ...frame.entries.map(({ workspaceId }) => workspaceId)].join(" ");
    case "snapshot_resumed":
      return `resumed ${frame.missed}`;
    case "snapshot_changed":
      return `changed ${frame.workspaceId}`;
    case "snapshot_removed":
      return `removed ${frame.workspaceId}`;
    case "snapshot_progress":
      return `progress ${frame.complete}`;
    case "snapshot_status":
      return `status ${frame.fresh}`;
    case "snapshot_ended":
      return `ended ${frame.reason}`;
  }
}

/** How the router refused: tRPC's code, and the stable reason if there is one. */
export async function refusalOf(
  attempt: PromiseLike<unknown>,
): Promise<{ code: string; reason?: string; message: string }> {
  try {
    await attempt;
  } catch (error) {
    const { code, message, cause } = error as { code: string; message: string; cause?: { reason?: string } };
    const reason = cause?.reason;
    return { code, message, ...(reason === undefined ? {} : { reason }) };
  }
  throw new Error("nothing was refused");
}

/** Nobody subscribes, and nothing that a subscription holds is left. */
export function leftovers(live: Snapwire): Record<string, number> {
  return {
    subscriptions: live.feed.size,
    scopes: live.feed.watchedScopes,
    projectListeners: live.projects.listeners,
  };
}

export const NOTHING_LEFT = { subscriptions: 0, scopes: 0, projectListeners: 0 };

/** A subscriber of `project` that is heard until the test aborts it. */
export function subscribed(
  service: Awaited<ReturnType<typeof routed>>,
  input: { readonly projectId?: string; readonly lastEventId?: string } = {},
) {
  const abort = new AbortController();
  const caller = service.as(ADMIN, { signal: abort.signal });
  return { abort, ...follow(caller.snapshots.onProject({ projectId: "project", ...input })) };
}
