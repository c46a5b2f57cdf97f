/** What callers of `agents` may ask, and what they are answered. */
import { initTRPC } from "@trpc/server";
import { describe, expect, test } from "vitest";
import { createSnapwireProcedures, type Identity, type Role } from "../src/index.ts";
import type { InboxFrame, InboxMessage, PresenceFrame } from "../src/protocol/agents.ts";
import { readInboxFrame, readPresenceFrame } from "../src/protocol/agents.ts";
import { ADMIN, follow, identity, refusalOf, routed } from "./helpers/router-callers.ts";
import { until } from "./helpers/store-until.ts";

const D = "desk";
const device = (deviceId = D): Identity => ({
  ...identity("agent"),
  subject: `agent of ${deviceId}`,
  deviceId,
});

type Routed = Awaited<ReturnType<typeof routed>>;

function inboxOf(service: Routed, who: Identity, deviceId = D, more: object = {}) {
  const abort = new AbortController();
  const followed = follow<InboxFrame>(
    service.as(who, { signal: abort.signal, ...more }).agents.inbox({ deviceId }),
  );
  const messages = (): InboxMessage[] =>
    followed.data().flatMap((frame) => (frame.type === "message" ? [frame] : []));
  const lease = (): number => {
    const [first] = followed.data();
    return first?.type === "registered" ? first.lease : Number.NaN;
  };
  return { abort, ...followed, messages, lease };
}

describe("rights", () => {
  const may: Record<Role, readonly string[]> = {
    viewer: ["list", "onPresence", "status", "deadLetters"],
    publisher: ["list", "onPresence", "status", "deadLetters", "send", "resend"],
    agent: ["inbox", "ack"],
    admin: ["list", "onPresence", "status", "deadLetters", "send", "resend", "inbox", "ack"],
  };
  test.each(Object.entries(may))("a %s may do what it is for, and nothing else", async (role, allowed) => {
    await using service = await routed();
    const { messageId } = await service.live.agents.send({ deviceId: D, text: "a" });
    const who = role === "agent" ? device() : identity(role as Role);
    const abort = new AbortController();
    const { agents } = service.as(who, { signal: abort.signal });
    const attempts: Record<string, () => PromiseLike<unknown>> = {
      list: () => agents.list(),
      onPresence: () => agents.onPresence(),
      status: () => agents.status({ messageId }),
      deadLetters: () => agents.deadLetters({ deviceId: D }),
      send: () => agents.send({ deviceId: D, text: "b", clientKey: "k", waitMs: 0 }),
      resend: () => agents.resend({ messageId }),
      inbox: () => agents.inbox({ deviceId: D }),
      ack: () => agents.ack({ id: messageId, lease: 1 }),
    };
    for (const [name, attempt] of Object.entries(attempts)) {
      const code = await Promise.resolve(attempt()).then(
        () => "fine",
        (error: { code: string }) => error.code,
      );
      if (allowed.includes(name)) expect([name, code]).not.toEqual([name, "FORBIDDEN"]);
      else expect([name, code]).toEqual([name, "FORBIDDEN"]);
    }
    abort.abort();
  });

  test("an agent receives for its own device only, and others' messages are as good as not there", async () => {
    await using service = await routed();
    expect(await refusalOf(service.as(device("other")).agents.inbox({ deviceId: D }))).toMatchObject({
      code: "FORBIDDEN",
    });
    const inbox = inboxOf(service, device(), " DESK ");
    const { messageId } = await service.live.agents.send({ deviceId: D, text: "a", waitMs: 0 });
    await until(() => expect(inbox.messages()).toHaveLength(1));
    const ack = { id: messageId, lease: inbox.lease() };
    expect(await refusalOf(service.as(device("other")).agents.ack(ack))).toMatchObject({
      code: "NOT_FOUND",
      reason: "unknown-message",
    });
    expect(service.live.agents.status(messageId)?.status).toBe("in-flight");
    expect(await service.as(device()).agents.ack(ack)).toMatchObject({ accepted: true });
    inbox.abort.abort();
    await inbox.over;
  });

  test("a host's authorize is asked with the device: to receive, to send, to look; who calls is the host's to name", async () => {
    await using service = await routed();
    const asked: unknown[] = [];
    const t = initTRPC.context<{ user: string }>().create();
    const { agents } = createSnapwireProcedures({
      live: service.live,
      procedure: t.procedure,
      authorize: ({ ctx, ...request }) => asked.push({ ...request, user: ctx.user }) > 0,
      subject: ({ user }) => user,
    });
    const abort = new AbortController();
    const caller = t.router(agents).createCaller({ user: "ann" }, { signal: abort.signal });
    const { messageId } = await caller.send({ deviceId: " DESK ", text: "a", clientKey: "k" });
    await caller.status({ messageId });
    const inbox = follow<InboxFrame>(caller.inbox({ deviceId: D }));
    await until(() => expect(inbox.data()).toHaveLength(2));
    const user = "ann";
    expect(asked).toEqual([
      { action: "write", deviceId: D, user },
      { action: "read", user },
      { action: "read", deviceId: D, user },
      { action: "receive", deviceId: D, user },
    ]);
    expect(service.live.agents.list()).toMatchObject([{ deviceId: D, subject: user }]);
    abort.abort();
    await inbox.over;
    // Another caller's key is another key.
    const other = t.router(agents).createCaller({ user: "bob" });
    expect((await other.send({ deviceId: D, text: "a", clientKey: "k" })).messageId).not.toBe(messageId);
  });

  test("without an identity there is an UNAUTHORIZED", async () => {
    await using service = await routed();
    expect(await refusalOf(service.as(null, { refused: "missing" }).agents.list())).toMatchObject({
      code: "UNAUTHORIZED",
    });
  });

  test("that are revoked end an inbox: its last frame says so, and the device is offline", async () => {
    await using service = await routed({ recheckEveryMs: 5 });
    let who: Identity | null = device();
    const inbox = inboxOf(service, device(), D, { recheck: async () => who });
    await until(() => expect(inbox.data()).toHaveLength(1));
    who = null;
    await inbox.over;
    expect(inbox.data().at(-1)).toEqual({ type: "inbox_ended", reason: "revoked" });
    expect(service.live.agents.devices()).toEqual([]);
  });

  test("that are revoked end the watching of a message and of the devices", async () => {
    await using service = await routed({ recheckEveryMs: 5 });
    const { messageId } = await service.live.agents.send({ deviceId: D, text: "a" });
    let who: Identity | null = ADMIN;
    const caller = service.as(ADMIN, { recheck: async () => who });
    const reports = follow(caller.agents.onStatus({ messageId }));
    const presence = follow<PresenceFrame>(caller.agents.onPresence());
    await until(() => expect([reports.frames.length, presence.frames.length]).toEqual([1, 1]));
    who = null;
    await Promise.all([reports.over, presence.over]);
    expect(presence.data().at(-1)).toEqual({ type: "presence_ended", reason: "revoked" });
    expect(service.live.agents.stats()).toMatchObject({ watchers: 0 });
  });
});

describe("an inbox", () => {
  test("of a device that connects again ends with CONFLICT, and says why", async () => {
    await using service = await routed();
    const old = inboxOf(service, device());
    await until(() => expect(old.data()).toHaveLength(1));
    const young = inboxOf(service, device());
    expect(await refusalOf(old.over)).toMatchObject({ code: "CONFLICT", reason: "duplicate-connection" });
    await until(() => expect(young.data()).toHaveLength(1));
    expect(service.live.agents.devices()).toEqual([D]);
    const refused = follow(service.as(ADMIN).agents.inbox({ deviceId: D, policy: "reject" }));
    expect(await refusalOf(refused.over)).toMatchObject({ code: "CONFLICT", reason: "duplicate-connection" });
    expect(service.live.agents.devices()).toEqual([D]);
    young.abort.abort();
    await young.over;
    expect(service.live.agents.devices()).toEqual([]);
  });

  test("takes a resume point for no ack: what was in flight comes again", async () => {
    await using service = await routed();
    const first = inboxOf(service, device());
    await service.live.agents.send({ deviceId: D, text: "a", waitMs: 0 });
    await until(() => expect(first.messages()).toHaveLength(1));
    const lastEventId = first.lastId();
    first.abort.abort();
    await first.over;
    const abort = new AbortController();
    const second = follow<InboxFrame>(
      service.as(device(), { signal: abort.signal }).agents.inbox({ deviceId: D, lastEventId }),
    );
    await until(() => expect(second.data()).toHaveLength(2));
    expect(second.data()[1]).toMatchObject({ type: "message", text: "a", attempt: 2 });
    expect(second.frames.map(({ id }) => id)).not.toContain(lastEventId);
    abort.abort();
    await second.over;
  });

  test("holds a message back while the connection takes nothing, and it costs no attempt", async () => {
    await using service = await routed();
    let open: (() => void) | undefined;
    let full = false;
    let held = 0;
    const connection = {
      claim: () => {
        if (full)
          return new Promise<void>((resolve) => {
            open = resolve;
          });
        held += 1;
        return undefined;
      },
      release: () => {
        held -= 1;
      },
      tryElsewhere: () => undefined,
    };
    const inbox = inboxOf(service, device(), D, { connection });
    await until(() => expect(inbox.data()).toHaveLength(1));
    full = true;
    const { messageId } = await service.live.agents.send({ deviceId: D, text: "a", waitMs: 0 });
    await until(() => expect(open).toBeDefined());
    expect(service.live.agents.status(messageId)).toMatchObject({ status: "waiting", attempt: 0 });
    full = false;
    open?.();
    await until(() => expect(inbox.messages()).toMatchObject([{ attempt: 1 }]));
    full = true;
    inbox.abort.abort();
    await inbox.over;
    expect(held).toBe(0);
  });

  test.each([
    ["a blank device id", { deviceId: " " }, "invalid-device-id"],
    ["a device id that is no text", { deviceId: 5 }, "invalid-input"],
    ["no device id", {}, "invalid-input"],
    ["an unknown policy", { deviceId: D, policy: "both" }, "invalid-input"],
  ])("23 refuses %s with an answer", async (_what, input, reason) => {
    await using service = await routed();
    const refusal = await refusalOf(service.as(ADMIN).agents.inbox(input as { deviceId: string }));
    expect(refusal).toMatchObject({ code: "BAD_REQUEST", reason });
  });
});

describe("sending", () => {
  test("is idempotent by the client key of the caller, and answers in typed refusals", async () => {
    await using service = await routed({ agents: { maxWaitingPerDevice: 1 } });
    const { agents } = service.as(ADMIN);
    const first = await agents.send({ deviceId: D, text: "a", clientKey: "k" });
    expect(await agents.send({ deviceId: D, text: "a", clientKey: "k" })).toEqual(first);
    expect(await refusalOf(agents.send({ deviceId: D, text: "b", clientKey: "l" }))).toMatchObject({
      code: "TOO_MANY_REQUESTS",
      reason: "queue-full",
    });
    expect(await refusalOf(agents.send({ deviceId: " ", text: "b", clientKey: "l" }))).toMatchObject({
      code: "BAD_REQUEST",
      reason: "invalid-device-id",
    });
    expect(await refusalOf(agents.send({ deviceId: D, clientKey: "l" }))).toMatchObject({
      reason: "invalid-input",
    });
    expect(await refusalOf(agents.status({ messageId: "none" }))).toMatchObject({
      code: "NOT_FOUND",
      reason: "unknown-message",
    });
  });

  test("shows by onStatus what becomes of a message, to its end", async () => {
    await using service = await routed();
    const { messageId } = await service.as(ADMIN).agents.send({ deviceId: D, text: "a", clientKey: "k" });
    const reports = follow(service.as(ADMIN).agents.onStatus({ messageId }));
    await until(() => expect(reports.data()).toMatchObject([{ status: "waiting", attempt: 0 }]));
    const inbox = inboxOf(service, device());
    await until(() => expect(reports.data().at(-1)).toMatchObject({ status: "in-flight", attempt: 1 }));
    await service
      .as(device())
      .agents.ack({ id: messageId, lease: inbox.lease(), outcome: "failed", error: "no" });
    await reports.over;
    expect(reports.data().map(({ status }) => status)).toEqual(["waiting", "in-flight", "failed"]);
    expect(await service.as(ADMIN).agents.deadLetters()).toMatchObject({
      messages: [{ messageId, error: "no" }],
    });
    expect(await service.as(ADMIN).agents.resend({ messageId })).toMatchObject({ messageId });
    inbox.abort.abort();
    await inbox.over;
  });
});

describe("presence", () => {
  test("is a full frame, then what changes; it resumes", async () => {
    await using service = await routed({ agents: { countsAfterMs: 1 } });
    await service.live.agents.send({ deviceId: "away", text: "a" });
    await until(() => expect(service.live.agents.list()).toMatchObject([{ waiting: 1 }]));
    const abort = new AbortController();
    const first = follow<PresenceFrame>(service.as(ADMIN, { signal: abort.signal }).agents.onPresence());
    await until(() => expect(first.data()).toHaveLength(1));
    expect(first.data()[0]).toMatchObject({
      type: "presence_full",
      reason: "first",
      entries: [{ deviceId: "away" }],
    });
    const inbox = inboxOf(service, device());
    await until(() =>
      expect(first.data().at(-1)).toMatchObject({
        type: "presence_changed",
        deviceId: D,
        entry: { online: true },
      }),
    );
    const lastEventId = first.lastId();
    abort.abort();
    await first.over;
    inbox.abort.abort();
    await inbox.over;
    const second = new AbortController();
    const resumed = follow<PresenceFrame>(
      service.as(ADMIN, { signal: second.signal }).agents.onPresence({ lastEventId }),
    );
    await until(() => expect(resumed.data()).toHaveLength(2));
    expect(resumed.data()).toMatchObject([
      { type: "presence_resumed", missed: 1 },
      { type: "presence_changed", deviceId: D, entry: { online: false } },
    ]);
    for (const frame of [...first.data(), ...resumed.data()]) expect(readPresenceFrame(frame)).toBe(frame);
    for (const frame of inbox.data()) expect(readInboxFrame(frame)).toBe(frame);
    second.abort();
    await resumed.over;
  });
});

test("what is no frame is read as none", () => {
  for (const data of [null, 5, [], {}, { type: "other" }, { type: "message" }, { type: "presence_full" }]) {
    expect(readInboxFrame(data)).toBeUndefined();
    expect(readPresenceFrame(data)).toBeUndefined();
  }
});

test("P8 a thousand inboxes that come and go, in every way, leave nothing", async () => {
  await using service = await routed({ agents: { countsAfterMs: 1 } });
  const { agents } = service.live;
  const coming = Array.from({ length: 1_000 }, (_, i) => {
    const inbox = inboxOf(service, ADMIN, `d${i % 100}`);
    return { ...inbox, i };
  });
  await until(() => expect(coming.filter(({ isOver }) => !isOver())).toHaveLength(100));
  const sends = Array.from({ length: 100 }, (_, i) =>
    agents.send({ deviceId: `d${i}`, text: "a", waitMs: 30_000 }),
  );
  await until(() => expect(agents.stats()).toMatchObject({ inboxes: 100, senders: 100 }));
  for (const { abort } of coming) abort.abort();
  await Promise.all(coming.map(({ over }) => over.catch(() => undefined)));
  expect((await Promise.all(sends)).every(({ status }) => status === "queued")).toBe(true);
  expect(agents.stats()).toMatchObject({ inboxes: 0, senders: 0, watchers: 0, inFlight: 100 });
  expect(agents.devices()).toEqual([]);
});
