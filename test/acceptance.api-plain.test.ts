/** The scoped server on `/api/ws?token=`, frame by frame, to a client that knows nothing of tRPC. */
import { describe, expect, test, vi } from "vitest";
import { createHeartbeat } from "../src/server/heartbeat.ts";
import { authenticateTokens, createToken } from "../src/server/index.ts";
import { clientMessageSchema, serverMessageSchema } from "../src/server/plain/messages.ts";
import { storeOf } from "../src/server/tokens.ts";
import { dialPlain, openPlain, type PlainClient } from "./helpers/plain.ts";
import { serve } from "./helpers/served.ts";
import { recordingLogger } from "./helpers/server-harness.ts";

const token = createToken({ role: "admin", subject: "ada" });
const WRONG = `swt_${"x".repeat(43)}`;

async function api(options: Parameters<typeof serve>[0] = {}) {
  const log = recordingLogger();
  const served = await serve({
    plain: { endpoints: ["api"] },
    server: { authenticate: authenticateTokens(storeOf(() => [token.record])), logger: log.logger },
    ...options,
  });
  const clients: PlainClient[] = [];
  await served.live.workspaces.upsert("A", { projectId: "p" });
  await served.live.workspaces.upsert("B", { projectId: "q" });
  return {
    ...served,
    log,
    open: async () => {
      const client = await openPlain(`${served.url}/api/ws?token=${token.token}`);
      clients.push(client);
      return client;
    },
    commit: (workspaceId: string, sessionId?: string, id?: string) =>
      served.live.broadcaster.broadcastEvent({
        type: "git.commit",
        deviceId: "d",
        workspaceId,
        data: { hash: `${workspaceId}${sessionId ?? ""}` },
        ...(sessionId === undefined ? {} : { sessionId }),
        ...(id === undefined ? {} : { id }),
      }),
    async [Symbol.asyncDispose]() {
      for (const client of clients) await client[Symbol.asyncDispose]();
      await served[Symbol.asyncDispose]();
    },
  };
}

/** Everything that was sent before has been answered once this is. */
async function settled(client: PlainClient): Promise<void> {
  const word = `mark-${client.frames.length}`;
  client.send({ type: word });
  await vi.waitFor(() => expect(client.frames.at(-1)?.message).toBe(`Unknown message type: ${word}`));
  client.frames.pop();
}

const hashes = (client: PlainClient): unknown[] =>
  client.frames.flatMap((frame) =>
    frame.type === "event" ? [(frame.event as { data: { hash: string } }).data.hash] : [],
  );

describe("opening", () => {
  test("B1 with a valid token it opens, without an error; B2 a wrong one is closed 4001, B3 and so is none", async () => {
    await using a = await api();
    const client = await a.open();
    await settled(client);
    expect(client.frames).toEqual([]);
    for (const query of [`?token=${WRONG}`, "?token=", ""]) {
      await using refused = dialPlain(`${a.url}/api/ws${query}`);
      expect(await refused.closed).toEqual({ code: 4001, reason: "Unauthorized" });
    }
    expect(JSON.stringify(a.log.lines)).not.toMatch(/swt_|token=/);
    await using byHeader = await openPlain(`${a.url}/api/ws`, { authorization: `Bearer ${token.token}` });
    await settled(byHeader);
  });

  test("B19 the count is 0, +1, -1, 0 and equals ws_clients", async () => {
    await using a = await api();
    const count = () => [a.server.stats().sockets, a.live.health().ws_clients];
    expect(count()).toEqual([0, 0]);
    const one = await a.open();
    expect(count()).toEqual([1, 1]);
    const two = await a.open();
    expect(count()).toEqual([2, 2]);
    one.ws.close();
    await vi.waitFor(() => expect(count()).toEqual([1, 1]));
    two.ws.terminate();
    await vi.waitFor(() => expect(count()).toEqual([0, 0]));
    await using refused = dialPlain(`${a.url}/api/ws?token=${WRONG}`);
    await refused.closed;
    expect(count()).toEqual([0, 0]);
  });

  test("B23 each connection has a ULID, which an admin can see, with when it came and what waits for it", async () => {
    await using a = await api();
    await a.open();
    await a.open();
    const clients = a.live.clients();
    expect(clients).toHaveLength(2);
    for (const client of clients) {
      expect(client.id).toMatch(/^[0-9A-HJKMNP-TV-Z]{26}$/);
      expect(client).toMatchObject({ connectedAt: expect.stringMatching(/Z$/), buffered: 0, stalled: false });
    }
    expect(new Set(clients.map(({ id }) => id)).size).toBe(2);
    expect(a.live.clients()).toEqual(clients);
    expect(a.live.clients(1)).toEqual(clients.slice(0, 1));
    const answer = await fetch(`${a.url}/trpc/system.clients`, {
      headers: { authorization: `Bearer ${token.token}` },
    });
    expect(await answer.json()).toMatchObject({ result: { data: { json: { clients } } } });
    expect((await fetch(`${a.url}/trpc/system.clients`)).status).toBe(401);
  });

  test("B20 a shutdown closes all with 1001", async () => {
    await using a = await api();
    const clients = [await a.open(), await a.open()];
    await a.server.drain({ overMs: 10, deadlineMs: 500 });
    for (const client of clients)
      expect(await client.closed).toEqual({ code: 1001, reason: "Server shutting down" });
  });

  test("rights that end close it with 4001", async () => {
    await using a = await api();
    const client = await a.open();
    a.live.revoke({ subject: "ada" });
    expect(await client.closed).toEqual({ code: 4001, reason: "Unauthorized" });
  });
});

describe("subscribing", () => {
  test("B4 to all, B5 to a workspace, B6 to a session is acknowledged by its name", async () => {
    await using a = await api();
    const client = await a.open();
    client.send({ type: "subscribe", scope: "all" });
    client.send({ type: "subscribe", scope: null, workspace_id: "A", session_id: null });
    client.send({ type: "subscribe", session_id: "S" });
    client.send({ type: "subscribe", scope: "all", workspace_id: "B", session_id: "T" });
    await vi.waitFor(() => expect(client.frames).toHaveLength(4));
    expect(client.frames).toEqual(
      ["all", "workspace:A", "session:S", "all"].map((subscription) => ({
        type: "subscribed",
        subscription,
      })),
    );
  });

  test("B7 all gets every event, B8 a workspace its own only, B12 each client what it asked for", async () => {
    await using a = await api();
    const [all, ofA, ofB, none] = [await a.open(), await a.open(), await a.open(), await a.open()];
    all.send({ type: "subscribe", scope: "all" });
    ofA.send({ type: "subscribe", workspace_id: "A" });
    ofB.send({ type: "subscribe", workspace_id: "B" });
    for (const client of [all, ofA, ofB]) await settled(client);
    await a.commit("A");
    await a.commit("B");
    await a.commit("C");
    await vi.waitFor(() => expect(hashes(all)).toEqual(["A", "B", "C"]));
    await vi.waitFor(() => expect([hashes(ofA), hashes(ofB)]).toEqual([["A"], ["B"]]));
    expect(none.frames).toEqual([]);
    expect(all.frames.find(({ type }) => type === "event")).toEqual({
      type: "event",
      event: {
        id: expect.stringMatching(/^[0-9A-HJKMNP-TV-Z]{26}$/),
        type: "git.commit",
        timestamp: expect.stringMatching(/Z$/),
        device_id: "d",
        workspace_id: "A",
        session_id: null,
        data: { hash: "A" },
        ingested_at: null,
        blob_refs: [],
      },
    });
  });

  test("B9 a session hears its update and not another's, B21 with summary and stats when given, B22 without when not", async () => {
    await using a = await api();
    const client = await a.open();
    client.send({ type: "subscribe", session_id: "S" });
    await settled(client);
    const { broadcaster } = a.live;
    await broadcaster.broadcastSessionUpdate("T", "A", "ended");
    await broadcaster.broadcastSessionUpdate("S", "A", "summarized", "", { totalMessages: 3, durationMs: 5 });
    await broadcaster.broadcastSessionUpdate("S", "A", "complete");
    await vi.waitFor(() =>
      expect(client.frames.filter(({ type }) => type === "session.update")).toHaveLength(2),
    );
    expect(client.frames.filter(({ type }) => type === "session.update")).toEqual([
      {
        type: "session.update",
        session_id: "S",
        lifecycle: "summarized",
        summary: "",
        stats: { total_messages: 3, duration_ms: 5 },
      },
      { type: "session.update", session_id: "S", lifecycle: "complete" },
    ]);
  });

  test("B10 after an unsubscribe there is silence from it, and the others go on; B11 a bare one ends all, with one ack", async () => {
    await using a = await api();
    const client = await a.open();
    client.send({ type: "subscribe", workspace_id: "A" });
    client.send({ type: "subscribe", workspace_id: "B" });
    await settled(client);
    client.send({ type: "unsubscribe", workspace_id: "A" });
    await settled(client);
    await a.commit("A");
    await a.commit("B");
    await vi.waitFor(() => expect(hashes(client)).toEqual(["B"]));
    client.send({ type: "unsubscribe", workspace_id: null, session_id: null });
    client.send({ type: "unsubscribe", session_id: "never-held" });
    await settled(client);
    await a.commit("B");
    await a.commit("A");
    await settled(client);
    expect(hashes(client)).toEqual(["B"]);
    expect(
      client.frames.filter(({ type }) => type === "unsubscribed").map(({ subscription }) => subscription),
    ).toEqual(["workspace:A", "all", "session:never-held"]);
  });

  test("B13 an event with both ids reaches subscribers of either, once, however many of theirs match", async () => {
    await using a = await api();
    const [both, byWorkspace, bySession] = [await a.open(), await a.open(), await a.open()];
    both.send({ type: "subscribe", scope: "all" });
    both.send({ type: "subscribe", workspace_id: "A" });
    both.send({ type: "subscribe", session_id: "S" });
    byWorkspace.send({ type: "subscribe", workspace_id: "A" });
    bySession.send({ type: "subscribe", session_id: "S" });
    for (const client of [both, byWorkspace, bySession]) await settled(client);
    await a.commit("A", "S");
    await a.commit("A", "S", "the-same");
    await a.commit("A", "S", "the-same");
    await a.commit("B");
    await vi.waitFor(() => expect(hashes(both)).toEqual(["AS", "AS", "B"]));
    await vi.waitFor(() =>
      expect([hashes(byWorkspace), hashes(bySession)]).toEqual([
        ["AS", "AS"],
        ["AS", "AS"],
      ]),
    );
  });

  test("no event is lost or doubled while the set changes under a flood", async () => {
    await using a = await api();
    const client = await a.open();
    client.send({ type: "subscribe", workspace_id: "A" });
    await settled(client);
    for (let n = 0; n < 200; n += 1) {
      const published = a.commit("A", `s${n}`);
      if (n % 10 === 3) client.send({ type: "subscribe", session_id: `none-${n}` });
      if (n % 10 === 7) client.send({ type: "unsubscribe", session_id: `none-${n - 4}` });
      await published;
    }
    const expected = Array.from({ length: 200 }, (_, n) => `As${n}`);
    await vi.waitFor(() => expect(hashes(client)).toHaveLength(200));
    expect(hashes(client)).toEqual(expected);
  });

  test("what came before a subscription is not for it, wherever the others stand", async () => {
    await using a = await api();
    const client = await a.open();
    client.send({ type: "subscribe", workspace_id: "A" });
    await settled(client);
    await a.commit("B", "before");
    client.send({ type: "subscribe", workspace_id: "B" });
    await settled(client);
    await a.commit("B", "after");
    await vi.waitFor(() => expect(hashes(client)).toEqual(["Bafter"]));
    client.send({ type: "unsubscribe", workspace_id: "A" });
    await settled(client);
    await a.commit("A", "meanwhile");
    client.send({ type: "subscribe", workspace_id: "A" });
    client.send({ type: "subscribe", session_id: "s" });
    await settled(client);
    await a.commit("A", "s");
    await vi.waitFor(() => expect(hashes(client)).toEqual(["Bafter", "As"]));
  });

  test("updates of remotes, sub-agents and teams have their literal keys", async () => {
    await using a = await api();
    const client = await a.open();
    client.send({ type: "subscribe", scope: "all" });
    await settled(client);
    const { broadcaster } = a.live;
    await broadcaster.broadcastRemoteUpdate("r", "A", "ready", "192.0.2.1");
    await broadcaster.broadcastRemoteUpdate("r", "A", "gone");
    await broadcaster.broadcastSubagentUpdate({
      sessionId: "S",
      workspaceId: "A",
      subagent: { agentId: "x", agentType: "explore", status: "running" },
    });
    await broadcaster.broadcastTeamUpdate({ teamName: "t", leadSessionId: "S", memberCount: 2 });
    await vi.waitFor(() => expect(client.frames).toHaveLength(5));
    expect(client.frames.slice(1)).toEqual([
      { type: "remote.update", remote_env_id: "r", status: "ready", public_ip: "192.0.2.1" },
      { type: "remote.update", remote_env_id: "r", status: "gone" },
      {
        type: "subagent.update",
        session_id: "S",
        workspace_id: "A",
        subagent: { agent_id: "x", agent_type: "explore", status: "running" },
      },
      { type: "team.update", team_name: "t", lead_session_id: "S", member_count: 2 },
    ]);
    for (const frame of client.frames) expect(serverMessageSchema.safeParse(frame).success).toBe(true);
    expect(clientMessageSchema.safeParse({ type: "subscribe", workspace_id: "A" }).success).toBe(true);
  });

  test("a limited token may not subscribe to what it may not read; `all` is then its own projects", async () => {
    const limited = createToken({ role: "viewer", projects: ["p"] });
    await using a = await api({
      plain: { endpoints: ["api"] },
      server: { authenticate: authenticateTokens(storeOf(() => [limited.record])) },
    });
    await using client = await openPlain(`${a.url}/api/ws?token=${limited.token}`);
    client.send({ type: "subscribe", workspace_id: "B" });
    client.send({ type: "subscribe", session_id: "unknown" });
    client.send({ type: "subscribe", scope: "all" });
    await settled(client);
    expect(client.frames.map(({ type }) => type)).toEqual(["error", "error", "subscribed"]);
    await a.commit("B");
    await a.commit("A");
    await vi.waitFor(() => expect(hashes(client)).toEqual(["A"]));
  });
});

describe("talking", () => {
  test("B17 B18 what is not understood is answered, and the connection stays", async () => {
    await using a = await api();
    const client = await a.open();
    for (const text of [
      "{",
      "null",
      "[]",
      "3",
      '{"type":3}',
      '{"type":"dance"}',
      '{"type":"subscribe"}',
      '{"type":"subscribe","scope":"some"}',
      '{"type":"subscribe","workspace_id":7}',
    ])
      client.send(text);
    client.ws.send(Buffer.from("binary"));
    await vi.waitFor(() => expect(client.frames).toHaveLength(10));
    const invalid = "Invalid subscribe: must provide scope, workspace_id, or session_id";
    expect(client.frames.map(({ type, message }) => (type === "error" ? message : type))).toEqual([
      "Invalid JSON",
      "Missing message type",
      "Missing message type",
      "Missing message type",
      "Missing message type",
      "Unknown message type: dance",
      invalid,
      invalid,
      invalid,
      "Invalid JSON",
    ]);
  });

  test("10,000 subscribe frames are answered, bounded, and hurt nobody", async () => {
    await using a = await api();
    const [flood, other] = [await a.open(), await a.open()];
    for (let n = 0; n < 10_000; n += 1) flood.send({ type: "subscribe", session_id: `s${n}` });
    other.send({ type: "subscribe", workspace_id: "A" });
    await settled(other);
    await a.commit("A");
    await vi.waitFor(() => expect(hashes(other)).toEqual(["A"]));
    await vi.waitFor(() => expect(flood.frames).toHaveLength(10_000), { timeout: 20_000 });
    expect(flood.frames.filter(({ type }) => type === "subscribed")).toHaveLength(64);
    expect(a.live.events.feed.size).toBe(2);
  });

  test("B16 a client that goes away during a broadcast stops nobody", async () => {
    await using a = await api();
    const [gone, stays] = [await a.open(), await a.open()];
    for (const client of [gone, stays]) {
      client.send({ type: "subscribe", scope: "all" });
      await settled(client);
    }
    const flood = Promise.all(Array.from({ length: 50 }, (_, n) => a.commit("A", `s${n}`)));
    gone.ws.terminate();
    await flood;
    await vi.waitFor(() => expect(hashes(stays)).toHaveLength(50));
    await vi.waitFor(() => expect(a.live.events.feed.size).toBe(1));
  });

  test("B14 a ping that is answered keeps it, B15 one that never is ends it, by the clock", () => {
    vi.useFakeTimers();
    const ended: string[] = [];
    using heartbeat = createHeartbeat({ pingEveryMs: 30_000, pongWithinMs: 10_000, stalledMs: 120_000 });
    const beating = (name: string, answers: boolean) => {
      let received = 0;
      return {
        ping: () => {
          if (answers) setTimeout(() => (received += 1), 100);
        },
        terminate: () => void ended.push(name),
        received: () => received,
        waiting: () => 0,
        flow: () => 0,
      };
    };
    heartbeat.add(beating("answers", true));
    heartbeat.add(beating("silent", false));
    vi.advanceTimersByTime(39_999);
    expect(ended).toEqual([]);
    vi.advanceTimersByTime(1);
    expect(ended).toEqual(["silent"]);
    vi.useRealTimers();
  });

  test("B14 B15 pings are JSON; a chatty client that never says pong stays, a silent one is ended", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    try {
      await using a = await api();
      const [silent, chatty] = [await a.open(), await a.open()];
      for (let round = 0; round < 2; round += 1) {
        vi.advanceTimersByTime(round === 0 ? 30_000 : 20_000); // the next ping is 30 s after the one before
        await vi.waitFor(() =>
          expect(chatty.frames.filter(({ type }) => type === "ping")).toHaveLength(round + 1),
        );
        chatty.send({ type: "subscribe", scope: "all" });
        await vi.waitFor(() =>
          expect(chatty.frames.filter(({ type }) => type === "subscribed")).toHaveLength(round + 1),
        );
        vi.advanceTimersByTime(10_000);
      }
      expect(await silent.closed).toMatchObject({ code: 1006 });
      expect(silent.frames).toContainEqual({ type: "ping" });
      expect(chatty.ws.readyState).toBe(chatty.ws.OPEN);
    } finally {
      vi.useRealTimers();
    }
  });
});
