/** `events`: what happened, watched, asked for, and published. */
import {
  TRPCError,
  type TRPCMutationProcedure,
  type TRPCQueryProcedure,
  type TRPCSubscriptionProcedure,
} from "@trpc/server";
import { z } from "zod";
import {
  type EventTargets,
  type Ingested,
  MAX_INGEST,
  MAX_RECENT,
  type PublishedEvent,
  type RecentEvents,
  type RecentQuery,
} from "../events/hub.ts";
import type { Draft } from "../events/stored.ts";
import { type AuthorisedTarget, type EventTarget, labelOf, MAX_TARGETS } from "../events/targets.ts";
import type { EventFrame, HostEvent, PublishableEvent } from "../protocol/envelope.ts";
import { SnapwireError } from "../protocol/errors.ts";
import type { TrackedFrame } from "../protocol/frames.ts";
import { answering } from "./errors.ts";
import { EVERY_PROJECT } from "./identity.ts";
import { id, lastEventId, reading } from "./input.ts";
import type { ProcedureRoom, Shape } from "./procedures.ts";
import { stillAllowed } from "./rights.ts";
import { assertServing, watchFeed } from "./watch-feed.ts";

export type EventProcedures = {
  onScope: TRPCSubscriptionProcedure<
    Shape<
      EventTargets & { types?: readonly string[] | undefined; lastEventId?: string | null | undefined },
      AsyncIterable<TrackedFrame<EventFrame>, void, unknown>
    >
  >;
  recent: TRPCQueryProcedure<Shape<RecentQuery, RecentEvents>>;
  publish: TRPCMutationProcedure<Shape<PublishableEvent | HostEvent, PublishedEvent>>;
  ingest: TRPCMutationProcedure<Shape<{ events: readonly (PublishableEvent | HostEvent)[] }, Ingested>>;
};

const one = {
  scope: z.literal("all").optional(),
  projectId: id.optional(),
  workspaceId: id.optional(),
  sessionId: id.optional(),
};
const types = z.array(z.string().min(1).max(128)).min(1).max(64).optional();
const asked = { ...one, targets: z.array(z.strictObject(one)).min(1).max(MAX_TARGETS).optional(), types };
const onScopeInput = reading(z.strictObject({ ...asked, lastEventId }));
const recentInput = reading(z.strictObject({ ...asked, limit: z.int().min(1).max(MAX_RECENT).optional() }));
const publishInput = reading(z.looseObject({}));
const ingestInput = reading(z.object({ events: z.array(z.looseObject({})).min(1).max(MAX_INGEST) }));

type Asked = {
  readonly [Key in keyof typeof one]?: string | undefined;
} & { readonly targets?: readonly Asked[] | undefined };

export function eventProcedures<Entry>(room: ProcedureRoom<Entry>): EventProcedures {
  const { live, procedure, authorize } = room;

  const onScope = procedure
    .input(onScopeInput)
    .use(async ({ ctx, input, next }) => {
      const targets = await authorised(room, ctx, input);
      await room.assertSameTRPC();
      const scope = await answering(() => {
        assertServing(live);
        return live.events.scopeOfAuthorised(targets, input.types);
      });
      return next({ ctx: { eventScope: { scope, targets } } });
    })
    .subscription(({ ctx, input, signal }) => {
      const { scope, targets } = ctx.eventScope;
      return watchFeed(room, {
        ctx,
        signal,
        feed: live.events.feed,
        scope,
        lastEventId: input.lastEventId,
        allowed: () => stillAuthorised(room, ctx, targets),
      });
    });

  const recent = procedure.input(recentInput).query(async ({ ctx, input }) => {
    const targets = await authorised(room, ctx, input);
    return answering(() => {
      assertServing(live);
      return live.events.recentOf(live.events.scopeOfAuthorised(targets, input.types), input.limit);
    });
  });

  const publish = procedure.input(publishInput).mutation(async ({ ctx, input }) => {
    await authorize({ ctx, action: "write" }); // before anything is said of what there is
    const draft = await answering(() => live.events.draft(input));
    await authorizeDrafts(room, ctx, [draft]);
    return answering(() => live.events.append(draft));
  });

  const ingest = procedure.input(ingestInput).mutation(async ({ ctx, input }) => {
    await authorize({ ctx, action: "write" });
    const drafts = await answering(() => input.events.map((event) => live.events.draft(event)));
    await authorizeDrafts(room, ctx, drafts);
    return answering(() => live.events.appendAll(drafts));
  });

  return { onScope, recent, publish, ingest } as unknown as EventProcedures;
}

/** The right to write where each of them goes. */
async function authorizeDrafts<Entry>(
  room: ProcedureRoom<Entry>,
  ctx: object,
  drafts: readonly Draft[],
): Promise<void> {
  for (const projectId of new Set(drafts.map((draft) => draft.projectId ?? EVERY_PROJECT))) {
    if (await room.allowed({ ctx, action: "write", projectId })) continue;
    const about = drafts.filter((draft) => (draft.projectId ?? EVERY_PROJECT) === projectId);
    throw forbidden(`publish ${[...new Set(about.map(({ type }) => type))].join(", ")} here`);
  }
}

/** It does not say which project something belongs to: that is for those who may see it. */
function forbidden(what: string): TRPCError {
  return new TRPCError({ code: "FORBIDDEN", message: `This identity may not ${what}.` });
}

/** The targets that were asked for, each with the right to read it. */
async function authorised<Entry>(
  room: ProcedureRoom<Entry>,
  ctx: object,
  input: Asked,
): Promise<readonly AuthorisedTarget[]> {
  await room.authorize({ ctx, action: "read" });
  const targets = await answering(() => targetsOf(input).map((target) => placed(room, target)));
  for (const [projectId, target] of new Map(targets.map((target) => [projectOf(target), target]))) {
    if (!(await room.allowed({ ctx, action: "read", projectId })))
      throw forbidden(`listen to ${labelOf(target)}`);
  }
  return targets;
}

async function stillAuthorised<Entry>(
  room: ProcedureRoom<Entry>,
  ctx: object,
  targets: readonly AuthorisedTarget[],
): Promise<boolean | "moved"> {
  for (const projectId of new Set(targets.map(projectOf)))
    if (!(await stillAllowed(room, ctx, { projectId }))) return false;
  return targets.some((target) => hasMoved(room, target)) ? "moved" : true;
}

/** What has to be readable: the project of what is asked for, or everything where that is not known. */
function projectOf(target: AuthorisedTarget): string {
  if (target.of === "project") return target.id;
  return target.of === "all" ? EVERY_PROJECT : (target.within ?? EVERY_PROJECT);
}

function placed<Entry>({ live }: ProcedureRoom<Entry>, target: EventTarget): AuthorisedTarget {
  if ("scope" in target) return { of: "all" };
  if ("projectId" in target) return { of: "project", id: target.projectId };
  const within = live.events.projectOf(target);
  return {
    ...("workspaceId" in target
      ? { of: "workspace" as const, id: target.workspaceId }
      : { of: "session" as const, id: target.sessionId }),
    ...(within === undefined ? {} : { within }),
  };
}

/** It belongs to another project now: what happens there is not for a view of the old one. */
function hasMoved<Entry>({ live }: ProcedureRoom<Entry>, target: AuthorisedTarget): boolean {
  if (target.of === "all" || target.of === "project" || target.within === undefined) return false;
  const now = live.events.projectOf(
    target.of === "workspace" ? { workspaceId: target.id } : { sessionId: target.id },
  );
  return now !== undefined && now !== target.within;
}

function targetsOf({ targets, ...single }: Asked): readonly EventTarget[] {
  if (targets === undefined) return [targetOf(single)];
  if (Object.keys(one).some((key) => single[key as keyof typeof one] !== undefined))
    throw new SnapwireError("invalid-input", "targets stands alone: put every target into it.");
  return targets.map(targetOf);
}

/** @throws {@link SnapwireError} `invalid-input` when it is not exactly one. */
function targetOf({ scope, projectId, workspaceId, sessionId }: Asked): EventTarget {
  const said: EventTarget[] = [];
  if (scope !== undefined) said.push({ scope: "all" });
  if (projectId !== undefined) said.push({ projectId });
  if (workspaceId !== undefined) said.push({ workspaceId });
  if (sessionId !== undefined) said.push({ sessionId });
  const [target] = said;
  if (target && said.length === 1) return target;
  throw new SnapwireError(
    "invalid-input",
    'A target is one of scope ("all"), projectId, workspaceId, sessionId; give several as targets: [{ ... }, { ... }].',
  );
}
