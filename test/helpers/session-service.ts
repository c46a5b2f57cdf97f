/** A running service with one workspace, and short words for what its sessions mean to it. */
import type { SessionUpdateInput } from "../../src/sessions/update.ts";
import type { SnapwireOptions } from "../../src/snapwire.ts";
import { running } from "./store-parts.ts";

export const P = "project";
export const W = "w";

export async function withSessions(options: SnapwireOptions = {}) {
  const service = await running(options);
  const { live } = service;
  await live.workspaces.upsert(W, { projectId: P, name: "card", status: "READY" }, { source: "before" });
  service.heard.length = 0;
  const update = (sessionId: string, news: Omit<SessionUpdateInput, "sessionId"> = {}) =>
    live.sessions.update({ sessionId, ...news });
  return {
    ...service,
    sessions: live.sessions,
    /** A session in the workspace, with what is said of it. */
    begin: (sessionId: string, news: Omit<SessionUpdateInput, "sessionId"> = {}) =>
      update(sessionId, { workspaceId: W, ...news }),
    update,
    /** What the card shows. */
    card: (workspaceId = W) => {
      const entry = live.workspaces.getByWorkspaceId(workspaceId);
      if (!entry) throw new Error(`no workspace ${workspaceId}`);
      return {
        isWorking: entry.isWorking,
        pending: entry.pendingRequestType,
        reason: entry.statusReason.code,
        sessions: entry.sessionSummaries.map(({ sessionId }) => sessionId),
      };
    },
    [Symbol.asyncDispose]: () => live.stop(),
  };
}
