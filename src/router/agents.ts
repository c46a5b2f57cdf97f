/** `agents`: devices that are told things and answer, those who send to them, and those who look on. */
import type {
  TRPCError,
  TRPCMutationProcedure,
  TRPCQueryProcedure,
  TRPCSubscriptionProcedure,
} from "@trpc/server";
import { z } from "zod";
import { ALL_DEVICES } from "../agents/agents.ts";
import { normaliseDeviceId } from "../agents/device-id.ts";
import type { Inbox } from "../agents/inbox.ts";
import { MAX_WAIT_MS } from "../agents/sending.ts";
import { anyOf } from "../deadline.ts";
import {
  ACK_OUTCOMES,
  type AckOutcome,
  type AckResult,
  type AgentPresence,
  CONNECT_POLICIES,
  type ConnectPolicy,
  type InboxFrame,
  type MessageReport,
  type PresenceFrame,
  type SendResult,
} from "../protocol/agents.ts";
import { SnapwireError } from "../protocol/errors.ts";
import type { TrackedFrame } from "../protocol/frames.ts";
import { answering, toTRPCError } from "./errors.ts";
import { id, lastEventId, reading } from "./input.ts";
import type { ProcedureRoom, Shape } from "./procedures.ts";
import { stillAllowed } from "./rights.ts";
import { aborted, assertServing, watchFeed } from "./watch-feed.ts";

type Resume = { lastEventId?: string | null | undefined };

/** A type, not an interface: only a type fits the index signature of a router's record. */
export type AgentProcedures = {
  /** Subscribing registers the device, stopping is leaving. One message at a time, until it is acknowledged. */
  inbox: TRPCSubscriptionProcedure<
    Shape<
      { deviceId: string; policy?: ConnectPolicy | undefined } & Resume,
      AsyncIterable<TrackedFrame<InboxFrame>, void, unknown>
    >
  >;
  ack: TRPCMutationProcedure<
    Shape<
      { id: string; lease: number; outcome?: AckOutcome | undefined; error?: string | undefined },
      AckResult
    >
  >;
  send: TRPCMutationProcedure<
    Shape<
      {
        deviceId: string;
        /** Plain JSON. A message has a payload, a text, or both. */
        payload?: unknown;
        text?: string | undefined;
        clientKey: string;
        waitMs?: number | undefined;
      },
      SendResult
    >
  >;
  status: TRPCQueryProcedure<Shape<{ messageId: string }, MessageReport>>;
  onStatus: TRPCSubscriptionProcedure<
    Shape<{ messageId: string } & Resume, AsyncIterable<TrackedFrame<MessageReport>, void, unknown>>
  >;
  list: TRPCQueryProcedure<Shape<void, { devices: readonly AgentPresence[] }>>;
  onPresence: TRPCSubscriptionProcedure<
    Shape<Resume | undefined, AsyncIterable<TrackedFrame<PresenceFrame>, void, unknown>>
  >;
  deadLetters: TRPCQueryProcedure<
    Shape<
      { deviceId?: string | undefined; limit?: number | undefined } | undefined,
      { messages: readonly MessageReport[] }
    >
  >;
  resend: TRPCMutationProcedure<Shape<{ messageId: string }, MessageReport>>;
};

const MAX_LISTED = 1_000;

/** A device id is read by the room itself, which has a reason of its own for a bad one. */
const device = z.string().max(1_024);
const inboxInput = reading(
  z.object({ deviceId: device, policy: z.enum(CONNECT_POLICIES).optional(), lastEventId }),
);
const ackInput = reading(
  z.object({
    id,
    lease: z.number().int().min(0),
    outcome: z.enum(ACK_OUTCOMES).optional(),
    error: z.string().max(16_384).optional(),
  }),
);
const sendInput = reading(
  z.object({
    deviceId: device,
    payload: z.unknown().optional(),
    text: z.string().optional(),
    clientKey: id,
    waitMs: z.number().min(0).max(MAX_WAIT_MS).optional(),
  }),
);
const messageInput = reading(z.object({ messageId: id }));
const onStatusInput = reading(z.object({ messageId: id, lastEventId }));
const onPresenceInput = reading(z.object({ lastEventId }).nullish());
const deadLettersInput = reading(
  z
    .object({ deviceId: device.optional(), limit: z.number().int().min(1).max(MAX_LISTED).optional() })
    .nullish(),
);

export function agentProcedures<Entry>(room: ProcedureRoom<Entry>): AgentProcedures {
  const { live, procedure, authorize } = room;
  const { agents } = live;

  const inbox = procedure
    .input(inboxInput)
    .use(async ({ ctx, input, next }) => {
      const deviceId = await answering(() => normaliseDeviceId(input.deviceId));
      await authorize({ ctx, action: "receive", deviceId });
      await room.assertSameTRPC();
      await answering(() => assertServing(live));
      return next();
    })
    .subscription(({ ctx, input, signal }) => watchInbox(room, ctx, input, signal));

  const ack = procedure.input(ackInput).mutation(async ({ ctx, input }) => {
    await authorize({ ctx, action: "receive" });
    const { deviceId } = await reportOf(input.id);
    // Whose message it is decides the right; to others it is as good as not there.
    if (!(await room.allowed({ ctx, action: "receive", deviceId }))) throw unknown(input.id);
    return answering(() => agents.ack({ ...input, deviceId }));
  });

  const send = procedure.input(sendInput).mutation(async ({ ctx, input, signal }) => {
    const deviceId = await answering(() => normaliseDeviceId(input.deviceId));
    await authorize({ ctx, action: "write", deviceId });
    return answering(() => agents.send({ ...input, deviceId, sender: room.subject(ctx) ?? "", signal }));
  });

  const status = procedure.input(messageInput).query(async ({ ctx, input: { messageId } }) => {
    await authorize({ ctx, action: "read" });
    const report = await reportOf(messageId);
    await authorize({ ctx, action: "read", deviceId: report.deviceId });
    return report;
  });

  const onStatus = procedure
    .input(onStatusInput)
    .use(async ({ ctx, input, next }) => {
      await authorize({ ctx, action: "read" });
      await room.assertSameTRPC();
      const { deviceId } = await reportOf(input.messageId);
      await authorize({ ctx, action: "read", deviceId });
      return next();
    })
    .subscription(({ ctx, input, signal }) => watchStatus(room, ctx, input.messageId, signal));

  const list = procedure.query(async ({ ctx }) => {
    await authorize({ ctx, action: "read" });
    await answering(() => assertServing(live));
    return { devices: agents.list() };
  });

  const onPresence = procedure
    .input(onPresenceInput)
    .use(async ({ ctx, next }) => {
      await authorize({ ctx, action: "read" });
      await room.assertSameTRPC();
      await answering(() => assertServing(live));
      return next();
    })
    .subscription(({ ctx, input, signal }) =>
      watchFeed(room, {
        ctx,
        signal,
        feed: agents.feed,
        scope: ALL_DEVICES,
        lastEventId: input?.lastEventId,
        allowed: () => stillAllowed(room, ctx),
      }),
    );

  const deadLetters = procedure.input(deadLettersInput).query(async ({ ctx, input }) => {
    const deviceId =
      input?.deviceId === undefined ? undefined : await answering(() => normaliseDeviceId(input.deviceId));
    await authorize({ ctx, action: "read", ...(deviceId === undefined ? {} : { deviceId }) });
    await answering(() => assertServing(live));
    return { messages: agents.deadLetters({ deviceId, limit: input?.limit }) };
  });

  const resend = procedure.input(messageInput).mutation(async ({ ctx, input: { messageId } }) => {
    await authorize({ ctx, action: "write" });
    const { deviceId } = await reportOf(messageId);
    await authorize({ ctx, action: "write", deviceId });
    return answering(() => agents.resend(messageId));
  });

  function reportOf(messageId: string): Promise<MessageReport> {
    return answering(() => {
      assertServing(live);
      const report = agents.status(messageId);
      if (!report) throw unknown(messageId);
      return report;
    });
  }

  return {
    inbox,
    ack,
    send,
    status,
    onStatus,
    list,
    onPresence,
    deadLetters,
    resend,
  } as unknown as AgentProcedures;
}

function unknown(messageId: string): TRPCError {
  const cause = new SnapwireError(
    "unknown-message",
    `There is no message ${messageId}; it may have been forgotten.`,
  );
  return toTRPCError(cause);
}

/** What a client received says nothing about what it did, so a resume point is no ack: it is read, and not used. */
async function* watchInbox<Entry>(
  room: ProcedureRoom<Entry>,
  ctx: object,
  { deviceId, policy }: { readonly deviceId: string; readonly policy?: ConnectPolicy | undefined },
  signal: AbortSignal | undefined,
) {
  const connection = await answering(() => room.connection(ctx));
  const inbox: Inbox = await answering(() => {
    assertServing(room.live);
    return room.live.agents.connect({ deviceId, policy, subject: room.subject(ctx), signal });
  });
  const unwatch = room.rights.watch({
    allowed: () => stillAllowed(room, ctx, { action: "receive", deviceId: inbox.deviceId }),
    revoke: () => void inbox.revoke(),
  });
  try {
    for await (const { id, data } of inbox.frames({ room: connection })) yield room.tracked(id, data);
  } catch (error) {
    if (!(error instanceof SnapwireError && error.reason === "behind" && connection))
      throw toTRPCError(error);
    // An error would end a stock subscription for good; a lost connection makes the client open its inbox again.
    connection.tryElsewhere();
    await aborted(signal);
  } finally {
    unwatch();
    await inbox.close();
  }
}

async function* watchStatus<Entry>(
  room: ProcedureRoom<Entry>,
  ctx: object,
  messageId: string,
  signal: AbortSignal | undefined,
) {
  const connection = await answering(() => room.connection(ctx));
  const ended = anyOf(...(signal ? [signal] : []));
  const revoke = (): void => ended.abort("revoked");
  const unwatch = room.rights.watch({ allowed: () => stillAllowed(room, ctx), revoke });
  try {
    const reports = room.live.agents.watchStatus(messageId, ended.signal);
    for await (const { id, data } of reports) {
      for (let noRoom = connection?.claim(); noRoom; noRoom = connection?.claim()) await noRoom;
      try {
        yield room.tracked(id, data);
      } finally {
        connection?.release();
      }
    }
  } finally {
    unwatch();
    ended[Symbol.dispose]();
  }
}
