/** A service over fake sources, on fake time. */
import { vi } from "vitest";
import type { SnapwireOptions } from "../../src/index.ts";
import { prepared } from "./store-parts.ts";
import type { FakeSource } from "./store-source.ts";

/** The project of everything that does not say another one. */
export const P = "project";

export const settle = (): Promise<unknown> => vi.advanceTimersByTimeAsync(0);
export const seconds = (count: number): Promise<unknown> => vi.advanceTimersByTimeAsync(count * 1_000);

/** Started, with the first pass under way or done. */
export async function begun(...sources: FakeSource[]) {
  const service = prepared({ sources });
  await service.live.start();
  await settle();
  return service;
}

/** After its first pass, with a subscriber of the project. */
export async function reconciled(source: FakeSource, options: SnapwireOptions = {}) {
  const service = prepared({ sources: [source], ...options });
  await service.live.start();
  await settle();
  const names = (projectId = P) =>
    service.live.workspaces.getByProjectId(projectId).map(({ workspaceId }) => workspaceId);
  const fresh: (boolean | string)[] = [];
  const subscription = service.live.feed.join(P);
  await service.live.feed.begin(subscription, undefined);
  /** What a subscriber of the project has been told of its freshness since the last look. */
  const told = () => {
    for (let frame = subscription.take(); frame; frame = subscription.take()) {
      if (frame.data.type === "snapshot_status") fresh.push(frame.data.reason ?? frame.data.fresh);
    }
    return fresh.splice(0);
  };
  return { ...service, workspaces: service.live.workspaces, names, told };
}
