/** What devices and those who send to them were promised, over real sockets, with stock clients. */
import { describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import type { InboxFrame, InboxMessage, MessageReport, PresenceFrame } from "../src/protocol/agents.ts";
import type { TrackedFrame } from "../src/protocol/frames.ts";
import type { Identity } from "../src/router/identity.ts";
import { type Served, serve, stockClient, stockSseClient } from "./helpers/served.ts";
import { until } from "./helpers/store-until.ts";

const D = "desk";

/** The token says who it is: `agent:<device>`, `publisher`, `viewer`. */
function authenticate(_request: unknown, params: { readonly token?: unknown } | null): Identity | null {
  const [role, deviceId] = String(params?.token ?? "").split(":");
  const common = { subject: String(params?.token), projects: "*" } as const;
  if (role === "agent" && deviceId) return { ...common, role, deviceId };
  return role === "publisher" || role === "viewer" ? { ...common, role } : null;
}

const served = (): Promise<Served> =>
  serve({
    agents: { countsAfterMs: 1 },
    server: { authenticate: async (...given) => authenticate(...given) },
  });

/** A device as its guide says to write one: it executes in order, once per id, and acknowledges. */
function deviceOn(
  url: string,
  deviceId: string,
  { acks = true, policy }: { acks?: boolean; policy?: "reject" } = {},
) {
  const client = stockClient(url, `agent:${deviceId.trim().toLowerCase()}`);
  const messages: InboxMessage[] = [];
  const executed: string[] = [];
  const errors: string[] = [];
  let lease = 0;
  const { unsubscribe } = client.trpc.agents.inbox.subscribe(
    { deviceId, ...(policy && { policy }) },
    {
      onData: ({ data }: TrackedFrame<InboxFrame>) => {
        if (data.type === "registered") lease = data.lease;
        if (data.type !== "message") return;
        messages.push(data);
        if (!executed.includes(data.id)) executed.push(data.id);
        if (acks) client.trpc.agents.ack.mutate({ id: data.id, lease }).catch(() => undefined);
      },
      onError: (error) =>
        errors.push((error.data as { reason?: string } | undefined)?.reason ?? error.message),
    },
  );
  return {
    ...client,
    messages,
    executed,
    errors,
    lease: () => lease,
    ack: (id: string) => client.trpc.agents.ack.mutate({ id, lease }),
    /** Pulls the plug. */
    kill: () => client.sockets.at(-1)?.terminate(),
    async [Symbol.asyncDispose]() {
      unsubscribe();
      await client.connection.close();
    },
  };
}

const senderOn = (url: string) => {
  const client = stockClient(url, "publisher");
  let keys = 0;
  return {
    ...client,
    send: (text: string, more: { deviceId?: string; clientKey?: string; waitMs?: number } = {}) => {
      keys += 1;
      return client.trpc.agents.send.mutate({ deviceId: D, text, clientKey: `k${keys}`, ...more });
    },
    [Symbol.asyncDispose]: () => client.connection.close(),
  };
};

describe("agents, natively", () => {
  test("A1 A6 a device is registered under its normalised id, and a send to it is answered after its ack", async () => {
    await using s = await served();
    await using device = deviceOn(s.url, "  DESK ");
    await using sender = senderOn(s.url);
    await until(() => expect(s.live.agents.devices()).toEqual([D]));
    const sent = await sender.send("hello", { waitMs: 30_000 });
    expect(sent).toMatchObject({ status: "delivered", queued: false });
    expect(device.executed).toEqual([sent.messageId]);
  });

  test("A2 16 a second one that may not take over is refused by CONFLICT, and the first keeps working", async () => {
    await using s = await served();
    await using device = deviceOn(s.url, D);
    await until(() => expect(device.lease()).toBeGreaterThan(0));
    await using second = deviceOn(s.url, D, { policy: "reject" });
    await until(() => expect(second.errors).toEqual(["duplicate-connection"]));
    await second.connection.close();
    await using sender = senderOn(s.url);
    expect(await sender.send("a", { waitMs: 30_000 })).toMatchObject({ status: "delivered" });
    expect(device.messages).toHaveLength(1);
  });

  test("16 a second one takes over: the first is told why, and does not come back", async () => {
    await using s = await served();
    await using first = deviceOn(s.url, D);
    await until(() => expect(first.lease()).toBeGreaterThan(0));
    await using second = deviceOn(s.url, D);
    await until(() => expect(first.errors).toEqual(["duplicate-connection"]));
    await first.connection.close();
    await using sender = senderOn(s.url);
    expect(await sender.send("a", { waitMs: 30_000 })).toMatchObject({ status: "delivered" });
    expect(second.messages).toHaveLength(1);
    expect(s.live.agents.stats()).toMatchObject({ inboxes: 1 });
  });

  test("A3 A8 a device whose socket dies is gone at once, and its senders are answered that it is queued", async () => {
    await using s = await served();
    await using device = deviceOn(s.url, D, { acks: false });
    await using sender = senderOn(s.url);
    await until(() => expect(s.live.agents.devices()).toEqual([D]));
    const sending = sender.send("a", { waitMs: 30_000 });
    await until(() => expect(device.messages).toHaveLength(1));
    const [socket] = device.sockets;
    socket?.terminate();
    expect(await sending).toMatchObject({ status: "queued", queued: true, position: 1 });
    // It comes back by itself, and gets the same message with the next attempt.
    await until(() => expect(device.messages.map(({ attempt }) => attempt)).toEqual([1, 2]));
    expect(new Set(device.messages.map(({ id }) => id)).size).toBe(1);
  });

  test("A7 17 without an ack in time the send is answered pending; a late ack counts, and nothing is doubled", async () => {
    await using s = await served();
    await using device = deviceOn(s.url, D, { acks: false });
    await using sender = senderOn(s.url);
    await until(() => expect(s.live.agents.devices()).toEqual([D]));
    const { messageId, status } = await sender.send("a", { waitMs: 50 });
    expect(status).toBe("pending");
    await until(() => expect(device.messages).toHaveLength(1));
    const reports: MessageReport[] = [];
    let over = false;
    sender.trpc.agents.onStatus.subscribe(
      { messageId },
      { onData: ({ data }) => void reports.push(data), onComplete: () => (over = true) },
    );
    await until(() => expect(reports).toMatchObject([{ status: "in-flight", attempt: 1 }]));
    expect(await device.ack(messageId)).toEqual({ accepted: true, late: true });
    await until(() => expect(over).toBe(true));
    expect(reports.at(-1)).toMatchObject({ status: "delivered" });
    expect(await sender.trpc.agents.status.query({ messageId })).toMatchObject({ status: "delivered" });
    expect(device.messages).toHaveLength(1);
    expect(s.live.agents.stats()).toMatchObject({ senders: 0, inFlight: 0 });
  });

  test("A9 A10 A11 offline: queued and answered at once, refused when fifty wait, and in order on registration", async () => {
    await using s = await served();
    await using sender = senderOn(s.url);
    const ids: string[] = [];
    for (let i = 0; i < 50; i += 1) {
      const { messageId, status, position } = await sender.send(`${i}`, { waitMs: 30_000 });
      expect([status, position]).toEqual(["queued", i + 1]);
      ids.push(messageId);
    }
    await expect(sender.send("one more")).rejects.toMatchObject({
      data: { code: "TOO_MANY_REQUESTS", reason: "queue-full" },
    });
    await using device = deviceOn(s.url, D);
    await until(() => expect(device.executed).toEqual(ids));
    expect(device.messages.every(({ attempt }) => attempt === 1)).toBe(true);
  });

  test("18 a socket killed in the middle of a burst: the rest arrives, in order, same ids; what was in hand again", async () => {
    await using s = await served();
    await using sender = senderOn(s.url);
    const ids: string[] = [];
    for (let i = 0; i < 20; i += 1) ids.push((await sender.send(`${i}`)).messageId);
    const device = deviceOn(s.url, D, { acks: false });
    await using _ = device;
    const acknowledge = async (until_: number): Promise<void> => {
      for (let done = 0; done < until_; done += 1) {
        await until(() => expect(device.executed.length).toBeGreaterThan(done));
        await device.ack(ids[done] ?? "");
      }
    };
    await acknowledge(7);
    await until(() => expect(device.executed).toHaveLength(8));
    device.kill();
    await until(() => expect(device.messages.at(-1)).toMatchObject({ id: ids[7], attempt: 2 }));
    for (let done = 7; done < 20; done += 1) {
      await until(() => expect(device.executed.length).toBeGreaterThan(done));
      await device.ack(ids[done] ?? "");
    }
    expect(device.executed).toEqual(ids);
    expect(s.live.agents.stats()).toMatchObject({ waiting: 0, inFlight: 0 });
  });

  test("a device that the server asks to move keeps its inbox: the new connection takes over from its own old one", async () => {
    await using s = await served();
    await using device = deviceOn(s.url, D);
    await using sender = senderOn(s.url);
    await until(() => expect(device.lease()).toBeGreaterThan(0));
    for (let moves = 1; moves <= 20; moves += 1) {
      const before = device.lease();
      device.sockets.at(-1)?.emit("message", Buffer.from('{"id":null,"method":"reconnect"}'), false);
      await until(() => expect(device.lease()).toBeGreaterThan(before));
      expect(await sender.send(`${moves}`, { waitMs: 30_000 })).toMatchObject({ status: "delivered" });
    }
    expect(device.errors).toEqual([]);
    expect(device.executed).toHaveLength(20);
  });

  test("20 a send whose answer was lost with the connection is sent again with the same key: one message", async () => {
    await using s = await served();
    await using device = deviceOn(s.url, D, { acks: false });
    await until(() => expect(device.lease()).toBeGreaterThan(0));
    await using sender = senderOn(s.url);
    const lost = sender.send("a", { clientKey: "once", waitMs: 30_000 });
    await until(() => expect(device.messages).toHaveLength(1));
    sender.sockets.at(-1)?.terminate();
    await expect(lost).rejects.toThrow();
    const again = sender.send("a", { clientKey: "once", waitMs: 30_000 });
    await until(() => expect(s.live.agents.stats().senders).toBe(1));
    await device.ack(device.messages[0]?.id ?? "");
    expect(await again).toEqual({ messageId: device.messages[0]?.id, status: "delivered", queued: false });
    expect(device.messages).toHaveLength(1);
  });

  test("21 an ack of another device, or of an old lease, is refused, and the message stays", async () => {
    await using s = await served();
    await using device = deviceOn(s.url, D, { acks: false });
    await using other = deviceOn(s.url, "other", { acks: false });
    await using sender = senderOn(s.url);
    await until(() => expect(s.live.agents.devices()).toEqual([D, "other"]));
    const { messageId } = await sender.send("a", { waitMs: 0 });
    await until(() => expect(device.messages).toHaveLength(1));
    const stolen = other.trpc.agents.ack.mutate({ id: messageId, lease: device.lease() });
    await expect(stolen).rejects.toMatchObject({ data: { code: "NOT_FOUND", reason: "unknown-message" } });
    const old = device.lease();
    await using young = deviceOn(s.url, D, { acks: false });
    await until(() => expect(young.messages).toHaveLength(1));
    expect(await young.trpc.agents.ack.mutate({ id: messageId, lease: old })).toEqual({
      accepted: false,
      late: false,
    });
    expect(s.live.agents.status(messageId)?.status).toBe("in-flight");
    expect(await young.ack(messageId)).toMatchObject({ accepted: true });
  });

  test("A13 what comes in the first packet is not lost: identity, inbox and a send, written at once", async () => {
    await using s = await served();
    const frames: { id?: number; result?: { type: string; data?: { json: unknown } } }[] = [];
    const ws = new WebSocket(`${s.url.replace("http", "ws")}/trpc?connectionParams=1`);
    const call = (id: number, method: string, path: string, json: unknown) =>
      JSON.stringify({ id, method, params: { path, input: { json } } });
    ws.on("message", (data) => void frames.push(JSON.parse(String(data))));
    ws.on("open", () => {
      ws.send(JSON.stringify({ method: "connectionParams", data: { token: `agent:${D}` } }));
      ws.send(call(1, "subscription", "agents.inbox", { deviceId: D }));
      ws.send(call(2, "mutation", "agents.ack", { id: "nothing", lease: 1 }));
    });
    await until(() => expect(frames.filter(({ id }) => id === 2)).toHaveLength(1));
    await until(() => expect(frames.filter(({ id }) => id === 1)).toHaveLength(2));
    expect(frames.filter(({ id }) => id === 1).map(({ result }) => result?.type)).toEqual([
      "started",
      "data",
    ]);
    const closed = new Promise((resolve) => ws.once("close", resolve));
    ws.terminate();
    await closed;
    await until(() => expect(s.live.agents.devices()).toEqual([]));
  });

  test("an inbox over server-sent events: the same frames, and offline at once when the response ends", async () => {
    await using s = await serve();
    const device = stockSseClient(s.url);
    await using acks = stockClient(s.url);
    const frames: InboxFrame[] = [];
    const { unsubscribe } = device.trpc.agents.inbox.subscribe(
      { deviceId: D },
      { onData: ({ data }: TrackedFrame<InboxFrame>) => void frames.push(data) },
    );
    await until(() => expect(frames).toMatchObject([{ type: "registered" }]));
    const sent = s.live.agents.send({ deviceId: D, text: "a", waitMs: 30_000 });
    await until(() => expect(frames).toMatchObject([{ type: "registered" }, { type: "message", text: "a" }]));
    const [first, second] = frames;
    if (first?.type !== "registered" || second?.type !== "message") throw new Error("other frames");
    expect(await acks.trpc.agents.ack.mutate({ id: second.id, lease: first.lease })).toMatchObject({
      accepted: true,
    });
    expect(await sent).toMatchObject({ status: "delivered" });
    unsubscribe();
    await until(() => expect(s.live.agents.devices()).toEqual([]));
  });

  test("presence is pushed: the list, then who comes and goes; dead letters are seen and sent again", async () => {
    await using s = await served();
    await using viewer = stockClient(s.url, "viewer");
    const seen: PresenceFrame[] = [];
    const { unsubscribe } = viewer.trpc.agents.onPresence.subscribe(undefined, {
      onData: ({ data }: TrackedFrame<PresenceFrame>) => void seen.push(data),
    });
    await until(() => expect(seen).toMatchObject([{ type: "presence_full", entries: [] }]));
    await using device = deviceOn(s.url, D, { acks: false });
    await until(() => expect(seen.at(-1)).toMatchObject({ deviceId: D, entry: { online: true } }));
    await using sender = senderOn(s.url);
    const { messageId } = await sender.send("a", { waitMs: 0 });
    await until(() => expect(device.messages).toHaveLength(1));
    await device.trpc.agents.ack.mutate({
      id: messageId,
      lease: device.lease(),
      outcome: "failed",
      error: "no",
    });
    await until(() => expect(seen.at(-1)).toMatchObject({ entry: { inFlight: 0, deadLetters: 1 } }));
    expect(await viewer.trpc.agents.deadLetters.query({ deviceId: D })).toMatchObject({
      messages: [{ messageId, error: "no" }],
    });
    expect(await sender.trpc.agents.resend.mutate({ messageId })).toMatchObject({ messageId });
    await until(() => expect(device.messages.map(({ attempt }) => attempt)).toEqual([1, 2]));
    expect(await viewer.trpc.agents.list.query()).toMatchObject({ devices: [{ deviceId: D, online: true }] });
    unsubscribe();
  });
});
