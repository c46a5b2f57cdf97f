/** The agent relay on `/agent/ws`, `POST /transcription`, `GET /devices`, `GET /health`, to clients that know no tRPC. */
import { connect } from "node:net";
import { describe, expect, test, vi } from "vitest";
import { createHeartbeat } from "../src/server/heartbeat.ts";
import { authenticateTokens, createToken } from "../src/server/index.ts";
import { transcriptionMessageSchema } from "../src/server/plain/messages.ts";
import { storeOf } from "../src/server/tokens.ts";
import { openPlain, type PlainClient } from "./helpers/plain.ts";
import { serve } from "./helpers/served.ts";
import { frameBytes, refusedWith, upgradeText } from "./helpers/server-harness.ts";

async function relay(options: Parameters<typeof serve>[0] = {}) {
  const served = await serve({ plain: {}, ...options });
  const clients: PlainClient[] = [];
  const post = async (body: unknown, headers: Record<string, string> = {}) => {
    const answer = await fetch(`${served.url}/transcription`, {
      method: "POST",
      headers: { "content-type": "application/json", ...headers },
      body: typeof body === "string" ? body : JSON.stringify(body),
    });
    return { status: answer.status, body: (await answer.json()) as Record<string, unknown> };
  };
  const dial = async () => {
    const client = await openPlain(`${served.url}/agent/ws`);
    clients.push(client);
    return client;
  };
  return {
    ...served,
    post,
    dial,
    devices: async () =>
      ((await (await fetch(`${served.url}/devices`)).json()) as { devices: string[] }).devices,
    /** A device that acknowledges what it gets, unless told otherwise. */
    device: async (deviceId: string, { acks = true } = {}) => {
      const client = await dial();
      if (acks)
        client.ws.on("message", (data) => {
          const frame = JSON.parse(String(data)) as { type: string; id?: string };
          if (frame.type === "transcription") client.send({ type: "ack", id: frame.id });
        });
      client.send({ type: "register", deviceId });
      await vi.waitFor(() => expect(served.live.agents.devices()).toContain(deviceId.trim().toLowerCase()));
      return client;
    },
    async [Symbol.asyncDispose]() {
      for (const client of clients) await client[Symbol.asyncDispose]();
      await served[Symbol.asyncDispose]();
    },
  };
}

describe("registering", () => {
  test("A1 with a device id, trimmed and in lower case; A3 gone at once when the socket is", async () => {
    await using r = await relay();
    const client = await r.device("  Desk-1 ");
    expect(await r.devices()).toEqual(["desk-1"]);
    client.ws.terminate();
    await vi.waitFor(async () => expect(await r.devices()).toEqual([]));
  });

  test("A2 a second one is closed 4000 DUPLICATE_CONNECTION, and the first keeps working", async () => {
    await using r = await relay();
    const first = await r.device("desk");
    const second = await r.dial();
    second.send({ type: "register", deviceId: "DESK" });
    expect(await second.closed).toEqual({ code: 4000, reason: "DUPLICATE_CONNECTION" });
    expect((await r.post({ deviceId: "desk", text: "still" })).body).toMatchObject({
      success: true,
      queued: false,
    });
    expect(first.frames).toMatchObject([{ type: "transcription", text: "still" }]);
    expect(await r.devices()).toEqual(["desk"]);
  });

  test("A13 a register in the first packet, with the request itself, is not lost", async () => {
    await using r = await relay();
    const socket = connect(Number(new URL(r.url).port), "127.0.0.1");
    const register = frameBytes(1, Buffer.from('{"type":"register","deviceId":"early"}'));
    socket.write(Buffer.concat([Buffer.from(upgradeText("/agent/ws")), register]));
    await vi.waitFor(async () => expect(await r.devices()).toEqual(["early"]));
    socket.destroy();
    await vi.waitFor(async () => expect(await r.devices()).toEqual([]));
  });

  test("what is not understood gets an answer, a blank id 4000, and who never registers is closed by the deadline", async () => {
    await using r = await relay({ plain: { registerWithinMs: 300 } });
    const confused = await r.dial();
    for (const text of [
      "{",
      "null",
      '{"type":"register"}',
      '{"type":"register","deviceId":7}',
      '{"type":"ack","id":"x"}',
    ])
      confused.send(text);
    await vi.waitFor(() => expect(confused.frames).toHaveLength(5));
    for (const frame of confused.frames) {
      expect(frame.type).toBe("error");
      expect(transcriptionMessageSchema.safeParse(frame).success).toBe(true);
    }
    expect(await confused.closed).toMatchObject({ code: 4408 });
    const blank = await r.dial();
    blank.send({ type: "register", deviceId: "   " });
    expect(await blank.closed).toEqual({ code: 4000, reason: "REGISTRATION_FAILED" });
    const twice = await r.device("twice");
    twice.send({ type: "register", deviceId: "other" });
    await vi.waitFor(() => expect(twice.frames).toMatchObject([{ type: "error" }]));
    expect(await r.devices()).toEqual(["twice"]);
  });

  test("A4 A5 two consecutive pings without a sign of life end it, registered or not", () => {
    vi.useFakeTimers();
    try {
      let pings = 0;
      let ended = 0;
      using heartbeat = createHeartbeat({
        pingEveryMs: 30_000,
        pongWithinMs: 10_000,
        stalledMs: 120_000,
        misses: 2,
      });
      heartbeat.add({
        ping: () => void pings++,
        terminate: () => void ended++,
        received: () => 0,
        waiting: () => 0,
        flow: () => 0,
      });
      vi.advanceTimersByTime(40_000);
      expect([pings, ended]).toEqual([1, 0]);
      vi.advanceTimersByTime(29_999);
      expect([pings, ended]).toEqual([2, 0]);
      vi.advanceTimersByTime(1);
      expect([pings, ended]).toEqual([2, 1]);
    } finally {
      vi.useRealTimers();
    }
  });
});

describe("sending", () => {
  test("A6 to a device that is there is answered after its ACK, with text and segments as they were given", async () => {
    await using r = await relay();
    const client = await r.device("desk");
    const payload = [
      { type: "text", value: "hello " },
      { type: "key", key: "enter" },
    ];
    const answer = await r.post({ deviceId: "Desk", payload });
    expect(answer).toEqual({
      status: 200,
      body: { success: true, messageId: expect.any(String), queued: false },
    });
    await r.post({ deviceId: "desk", text: "plain" });
    expect(client.frames).toEqual([
      {
        type: "transcription",
        id: answer.body.messageId,
        text: "hello ",
        payload,
        timestamp: expect.any(Number),
      },
      { type: "transcription", id: expect.any(String), text: "plain", timestamp: expect.any(Number) },
    ]);
    expect(Math.abs(Number(client.frames[0]?.timestamp) - Date.now())).toBeLessThan(60_000);
  });

  test("A7 without an ACK in 5 s the POST answers, a late ACK still counts, and nothing is doubled", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    try {
      await using r = await relay();
      const client = await r.device("desk", { acks: false });
      const posted = r.post({ deviceId: "desk", text: "one" });
      await vi.waitFor(() => expect(client.frames).toHaveLength(1));
      vi.advanceTimersByTime(5_000);
      const { body } = await posted;
      expect(body).toMatchObject({ success: true, queued: true });
      expect(r.live.agents.stats().senders).toBe(0);
      client.send({ type: "ack", id: body.messageId });
      await vi.waitFor(() => expect(r.live.agents.status(String(body.messageId))?.status).toBe("delivered"));
      const next = r.post({ deviceId: "desk", text: "two" });
      await vi.waitFor(() => expect(client.frames).toHaveLength(2));
      client.send({ type: "ack", id: client.frames[1]?.id });
      await next;
      expect(client.frames.map(({ text }) => text)).toEqual(["one", "two"]);
    } finally {
      vi.useRealTimers();
    }
  });

  test("A8 a disconnect settles who waits; A9 to nobody is queued at once; A10 the queue arrives in order", async () => {
    await using r = await relay();
    const client = await r.device("desk", { acks: false });
    const waiting = r.post({ deviceId: "desk", text: "0" });
    await vi.waitFor(() => expect(client.frames).toHaveLength(1));
    client.ws.terminate();
    expect((await waiting).body).toMatchObject({ success: true, queued: true });
    for (let n = 1; n < 10; n += 1)
      expect((await r.post({ deviceId: "desk", text: String(n) })).body).toMatchObject({
        success: true,
        queued: true,
      });
    const again = await r.device("desk");
    await vi.waitFor(() => expect(again.frames).toHaveLength(10));
    expect(again.frames.map(({ text }) => text)).toEqual(Array.from({ length: 10 }, (_, n) => String(n)));
    expect(again.frames[0]?.id).toBe(client.frames[0]?.id);
  });

  test("a socket cut after k of 50 acknowledged messages gets the rest once it is back, in order, the same ids", async () => {
    await using r = await relay();
    const ids: unknown[] = [];
    for (let n = 0; n < 50; n += 1)
      ids.push((await r.post({ deviceId: "desk", text: String(n) })).body.messageId);
    const first = await r.device("desk", { acks: false });
    for (let n = 0; n < 20; n += 1) {
      await vi.waitFor(() => expect(first.frames).toHaveLength(n + 1));
      if (n < 19) first.send({ type: "ack", id: first.frames[n]?.id });
    }
    first.ws.terminate();
    await vi.waitFor(async () => expect(await r.devices()).toEqual([]));
    const second = await r.device("desk");
    await vi.waitFor(() => expect(second.frames).toHaveLength(31));
    expect([...first.frames.slice(0, 19), ...second.frames].map(({ id }) => id)).toEqual(ids);
  });

  test("A11 the 51st that waits is QUEUE_FULL, and nothing of the others is lost", async () => {
    await using r = await relay();
    for (let n = 0; n < 50; n += 1) await r.post({ deviceId: "desk", text: String(n) });
    expect(await r.post({ deviceId: "desk", text: "50" })).toEqual({
      status: 200,
      body: { success: false, error: { code: "QUEUE_FULL", message: expect.any(String) } },
    });
    expect((await r.post({ deviceId: "else", text: "0" })).body).toMatchObject({ queued: true });
    const client = await r.device("desk");
    await vi.waitFor(() => expect(client.frames).toHaveLength(50));
  });

  test("A12 what waits is gone after 24 h by the clock, whether or not anybody looks", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "Date"] });
    try {
      await using r = await relay();
      const { body } = await r.post({ deviceId: "desk", text: "old" });
      await vi.advanceTimersByTimeAsync(24 * 3_600_000 + 1_000);
      await vi.waitFor(() => expect(r.live.agents.status(String(body.messageId))?.status).toBe("expired"));
      const client = await r.device("desk");
      await r.post({ deviceId: "desk", text: "new" });
      expect(client.frames.map(({ text }) => text)).toEqual(["new"]);
    } finally {
      vi.useRealTimers();
    }
  });

  test("the same client key twice is one message", async () => {
    await using r = await relay();
    const one = await r.post({ deviceId: "desk", text: "x", clientKey: "k" });
    const two = await r.post({ deviceId: "desk", text: "x", clientKey: "k" });
    expect(two.body.messageId).toBe(one.body.messageId);
    const client = await r.device("desk");
    await vi.waitFor(() => expect(client.frames).toHaveLength(1));
  });

  test("bodies have their literal answers: 400 for a broken one, 200 INVALID_DEVICE_ID for blanks", async () => {
    await using r = await relay();
    for (const body of [
      "{",
      {},
      { deviceId: "" },
      { deviceId: "d" },
      { deviceId: 3, text: "x" },
      { deviceId: "d", payload: [{ type: "key", key: "f1" }] },
    ])
      expect(await r.post(body)).toEqual({
        status: 400,
        body: { statusCode: 400, error: "Bad Request", message: expect.any(String) },
      });
    expect(await r.post({ deviceId: "   ", text: "x" })).toEqual({
      status: 200,
      body: { success: false, error: { code: "INVALID_DEVICE_ID", message: expect.any(String) } },
    });
    const health = await fetch(`${r.url}/health`);
    expect(await health.json()).toEqual({ status: "ok", timestamp: expect.stringMatching(/Z$/) });
    expect(await (await fetch(`${r.url}/devices`)).json()).toEqual({ success: true, devices: [] });
  });

  test("what is too much is 400 or QUEUE_FULL, what cannot be stored 503, and what went wrong here 500 INTERNAL_ERROR", async () => {
    await using r = await relay({ agents: { maxDevices: 1 } });
    expect(await r.post({ deviceId: "d", text: "x".repeat(900_000) })).toMatchObject({
      status: 400,
      body: { statusCode: 400, error: "Bad Request" },
    });
    expect((await r.post({ deviceId: "first", text: "x" })).body).toMatchObject({ success: true });
    expect(await r.post({ deviceId: "second", text: "x" })).toMatchObject({
      status: 200,
      body: { success: false, error: { code: "QUEUE_FULL" } },
    });
    const send = vi.spyOn(r.live.agents, "send").mockRejectedValueOnce(new Error("secret of the inside"));
    const broken = await r.post({ deviceId: "first", text: "x" });
    expect(broken).toMatchObject({
      status: 500,
      body: { success: false, error: { code: "INTERNAL_ERROR" } },
    });
    expect(JSON.stringify(broken)).not.toContain("secret");
    send.mockRestore();
    await r.live.stop();
    expect((await r.post({ deviceId: "first", text: "x" })).status).toBe(503);
  });
});

describe("with tokens", () => {
  test("a device's token receives for its own device only, and who may not send is refused", async () => {
    const own = createToken({ role: "agent", deviceId: "mine", subject: "device" });
    const viewer = createToken({ role: "viewer" });
    const sender = createToken({ role: "publisher" });
    await using r = await relay({
      plain: {},
      server: { authenticate: authenticateTokens(storeOf(() => [own.record, viewer.record, sender.record])) },
    });
    const bearer = (token: { token: string }) => ({ authorization: `Bearer ${token.token}` });
    const url = `${r.url.replace("http", "ws")}/agent/ws`;
    expect(await refusedWith(url)).toBe(401);
    expect(await refusedWith(url, bearer(viewer))).toBe(403);
    await using other = await openPlain(url, bearer(own));
    other.send({ type: "register", deviceId: "other" });
    expect(await other.closed).toEqual({ code: 4000, reason: "REGISTRATION_FAILED" });
    await using mine = await openPlain(url, bearer(own));
    mine.send({ type: "register", deviceId: "Mine" });
    await vi.waitFor(() => expect(r.live.agents.devices()).toEqual(["mine"]));
    expect((await fetch(`${r.url}/devices`)).status).toBe(401);
    const refused = await fetch(`${r.url}/transcription`, {
      method: "POST",
      body: "{}",
      headers: bearer(viewer),
    });
    expect(refused.status).toBe(403);
    const sent = r.post({ deviceId: "mine", text: "hi" }, bearer(sender));
    await vi.waitFor(() => expect(mine.frames).toHaveLength(1));
    mine.send({ type: "ack", id: mine.frames[0]?.id });
    expect((await sent).body).toMatchObject({ success: true, queued: false });
    r.live.revoke({ subject: "device" });
    expect(await mine.closed).toEqual({ code: 4001, reason: "Unauthorized" });
    await vi.waitFor(() => expect(r.live.agents.devices()).toEqual([]));
  });
});
