/** `sessions`: who may tell and who may hear, and what a subscription says from the first frame to a resume. */
import { afterEach, describe, expect, test, vi } from "vitest";
import { readSessionFrame, type SessionFrame } from "../src/protocol/sessions.ts";
import { ADMIN, follow, identity, refusalOf, routed } from "./helpers/router-callers.ts";
import { until } from "./helpers/store-until.ts";

const P = "project";

afterEach(() => void vi.useRealTimers());

async function service() {
  const routes = await routed();
  await routes.workspaces.upsert("w", { projectId: P, status: "READY" });
  await routes.workspaces.upsert("elsewhere", { projectId: "other" });
  const watching = (sessionId: string, lastEventId?: string, who = ADMIN) => {
    const abort = new AbortController();
    const caller = routes.as(who, { signal: abort.signal });
    return { abort, ...follow(caller.sessions.onSession({ sessionId, lastEventId })) };
  };
  return {
    ...routes,
    watching,
    admin: routes.as(ADMIN).sessions,
    [Symbol.asyncDispose]: () => routes.live.stop(),
  };
}

function wordsOf(frame: SessionFrame): string {
  switch (frame.type) {
    case "session_full":
      return `full ${frame.reason} ${frame.session?.lifecycle ?? "nothing"}`;
    case "session_resumed":
      return `resumed ${frame.missed}`;
    case "session_changed":
      return `changed ${frame.session.lifecycle}`;
    case "session_ended":
      return `ended ${frame.reason}`;
    case "session_removed":
    case "session_status":
    case "session_progress":
      return frame.type;
  }
}

const worded = (frames: readonly SessionFrame[]): string[] => frames.map(wordsOf);

describe("onSession", () => {
  test("begins with the whole session, and goes on through complete", async () => {
    await using routes = await service();
    await routes.admin.update({ sessionId: "s", workspaceId: "w" });
    const heard = routes.watching("s");
    await until(() => expect(heard.frames).toHaveLength(1));
    for (const lifecycle of ["ended", "transcript_ready", "parsed", "summarized", "complete"] as const) {
      await routes.admin.update({ sessionId: "s", lifecycle });
      await until(() => expect(worded(heard.data()).at(-1)).toBe(`changed ${lifecycle}`));
    }
    await routes.admin.update({ sessionId: "s", lifecycle: "failed", errorMessage: "on second thoughts" });
    await until(() => expect(worded(heard.data()).at(-1)).toBe("changed failed"));
    expect(worded(heard.data()).slice(0, 2)).toEqual(["full first detected", "changed ended"]);
    expect(heard.isOver()).toBe(false);
    for (const frame of heard.data())
      expect(readSessionFrame(JSON.parse(JSON.stringify(frame)))).toEqual(frame);
  });

  test("of a session that nobody knows says so, and hears of it when it comes", async () => {
    await using routes = await service();
    const heard = routes.watching("s");
    await until(() => expect(heard.data()).toMatchObject([{ type: "session_full", session: null }]));
    await routes.admin.update({ sessionId: "s", workspaceId: "w" });
    await until(() => expect(worded(heard.data())).toEqual(["full first nothing", "changed detected"]));
  });

  test("P6 resumes where it stood, twice in a row, also when nothing was missed", async () => {
    await using routes = await service();
    await routes.admin.update({ sessionId: "s", workspaceId: "w" });
    const first = routes.watching("s");
    await until(() => expect(first.frames).toHaveLength(1));
    first.abort.abort();
    await first.over;
    await routes.admin.update({ sessionId: "s", lifecycle: "ended" });
    await routes.admin.update({ sessionId: "s", lifecycle: "parsed", summary: "x" });
    const second = routes.watching("s", first.lastId());
    await until(() => expect(worded(second.data())).toEqual(["resumed 1", "changed parsed"]));
    second.abort.abort();
    const third = routes.watching("s", second.lastId());
    await until(() => expect(worded(third.data())).toEqual(["resumed 0"]));
  });

  test("a position of another session is foreign", async () => {
    await using routes = await service();
    await routes.admin.update({ sessionId: "s", workspaceId: "w" });
    await routes.admin.update({ sessionId: "t", workspaceId: "w" });
    const one = routes.watching("s");
    await until(() => expect(one.frames).toHaveLength(1));
    const other = routes.watching("t", one.lastId());
    await until(() => expect(worded(other.data())).toEqual(["full epoch-changed detected"]));
  });

  test("the answer of an update is a position from which a subscription goes on", async () => {
    await using routes = await service();
    const { position } = await routes.admin.update({ sessionId: "s", workspaceId: "w" });
    const heard = routes.watching("s", position ?? "");
    await until(() => expect(worded(heard.data())).toEqual(["resumed 0"]));
    expect((await routes.admin.get({ sessionId: "s" }))?.position).toBe(position);
  });

  test("a session that is forgotten is removed", async () => {
    await using routes = await service();
    await routes.admin.update({ sessionId: "s", workspaceId: "w" });
    const heard = routes.watching("s");
    await until(() => expect(heard.frames).toHaveLength(1));
    await routes.as(ADMIN).snapshots.remove({ workspaceId: "w" });
    await until(() => expect(worded(heard.data())).toEqual(["full first detected", "session_removed"]));
  });

  test("leaves nothing behind", async () => {
    await using routes = await service();
    const heard = [1, 2, 3].map((n) => routes.watching(`s${n}`));
    await until(() => expect(heard.every(({ frames }) => frames.length === 1)).toBe(true));
    for (const { abort } of heard) abort.abort();
    await until(() => expect(routes.live.sessions.feed.size).toBe(0));
    expect(routes.live.sessions.feed.watchedScopes).toBe(0);
  });
});

describe("rights", () => {
  const reader = identity("viewer", [P]);
  const writer = identity("publisher", [P]);

  test("who may read the project of the workspace may hear of its sessions, and nobody else", async () => {
    await using routes = await service();
    await routes.admin.update({ sessionId: "s", workspaceId: "w" });
    await routes.admin.update({ sessionId: "hidden", workspaceId: "elsewhere" });
    const may = routes.as(reader).sessions;
    expect(await may.get({ sessionId: "s" })).toMatchObject({ session: { sessionId: "s" } });
    expect(await may.list({ workspaceId: "w" })).toMatchObject({ sessions: [{ sessionId: "s" }] });
    const heard = routes.watching("s", undefined, reader);
    await until(() => expect(heard.frames).toHaveLength(1));

    expect(await may.get({ sessionId: "hidden" })).toBeNull();
    for (const sessionId of ["hidden", "unknown"]) {
      expect(await refusalOf(may.onSession({ sessionId })), sessionId).toMatchObject({
        code: "FORBIDDEN",
        message: `This identity may not read session ${sessionId}.`,
      });
    }
    expect(await refusalOf(may.list({ workspaceId: "elsewhere" }))).toMatchObject({ code: "FORBIDDEN" });
  });

  test("who may write the project may tell of its sessions, and of no other", async () => {
    await using routes = await service();
    const may = routes.as(writer).sessions;
    await may.update({ sessionId: "s", workspaceId: "w" });
    await may.update({ sessionId: "s", activity: "WORKING" });
    await routes.admin.update({ sessionId: "theirs", workspaceId: "elsewhere" });
    const refused = [
      may.update({ sessionId: "s", workspaceId: "elsewhere" }),
      may.update({ sessionId: "theirs", workspaceId: "w" }),
      may.update({ sessionId: "theirs", activity: "WORKING" }),
      may.update({ sessionId: "new", workspaceId: "not-known-yet" }),
      may.update({ sessionId: "new" }),
      routes.as(reader).sessions.update({ sessionId: "s", activity: "IDLE" }),
    ];
    for (const attempt of refused) expect(await refusalOf(attempt)).toMatchObject({ code: "FORBIDDEN" });
    expect(routes.live.sessions.get("s")).toMatchObject({ workspaceId: "w", activity: "WORKING" });
    await routes.admin.update({ sessionId: "new", workspaceId: "not-known-yet" });
  });

  test("P5 a session that goes to another project ends the subscriptions before a byte of it is told", async () => {
    await using routes = await service();
    await routes.admin.update({ sessionId: "s", workspaceId: "w" });
    const heard = routes.watching("s", undefined, reader);
    await until(() => expect(heard.frames).toHaveLength(1));
    await routes.admin.update({ sessionId: "s", workspaceId: "elsewhere", summary: "not for you" });
    await until(() => expect(heard.isOver()).toBe(true));
    expect(worded(heard.data())).toEqual(["full first detected", "ended revoked"]);
    expect(JSON.stringify(heard.frames)).not.toContain("not for you");
  });

  test("P5 so does one whose workspace moves", async () => {
    await using routes = await service();
    await routes.admin.update({ sessionId: "s", workspaceId: "w" });
    const heard = routes.watching("s", undefined, reader);
    await until(() => expect(heard.frames).toHaveLength(1));
    await routes.workspaces.upsert("w", { projectId: "other" });
    await until(() => expect(worded(heard.data())).toEqual(["full first detected", "ended revoked"]));
  });
});

test("refusals have their code and their stable reason", async () => {
  await using routes = await service();
  await routes.admin.update({ sessionId: "s", workspaceId: "w", lifecycle: "parsed" });
  expect(await refusalOf(routes.admin.update({ sessionId: "s", lifecycle: "ended" }))).toMatchObject({
    code: "CONFLICT",
    reason: "backward-lifecycle",
    message: expect.stringContaining(
      "detected -> ended -> transcript_ready -> parsed -> summarized -> complete",
    ),
  });
  expect(await refusalOf(routes.admin.update({ sessionId: "new" }))).toMatchObject({
    code: "BAD_REQUEST",
    reason: "workspace-required",
  });
  expect(await refusalOf(routes.admin.update({ sessionId: "s", activity: "BUSY" as never }))).toMatchObject({
    code: "BAD_REQUEST",
    reason: "invalid-input",
  });
});
