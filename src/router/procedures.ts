/**
 * Snapwire's procedures over a host's `procedure`: records to merge into a router of any depth.
 *
 *     const snapwire = createSnapwireProcedures({ live, procedure: protectedProcedure, authorize });
 *     t.router({ ...own, snapshots: t.router(snapwire.snapshots), system: t.router(snapwire.system) });
 */
import {
  tracked as ownTracked,
  TRPCError,
  type TRPCMutationProcedure,
  type TRPCProcedureBuilder,
  type TRPCQueryProcedure,
  type TRPCSubscriptionProcedure,
  type TRPCUnsetMarker,
} from "@trpc/server";
import type { ClientReport, Health, SnapwireStats } from "../health.ts";
import type { Logger } from "../log.ts";
import type { SnapshotFrame, TrackedFrame } from "../protocol/frames.ts";
import type { WorkspaceEntry, WorkspaceFields } from "../protocol/workspace.ts";
import type { WriteResult } from "../snapshots/store.ts";
import type { Snapwire } from "../snapwire.ts";
import { type AgentProcedures, agentProcedures } from "./agents.ts";
import type { SnapwireConnection } from "./context.ts";
import { drivable } from "./driven.ts";
import { answering } from "./errors.ts";
import { type EventProcedures, eventProcedures } from "./events.ts";
import { type GithubProcedures, githubProcedures } from "./github.ts";
import { type Action, EVERY_PROJECT } from "./identity.ts";
import { type RatchetProcedures, ratchetProcedures } from "./ratchet.ts";
import { RightsSweep } from "./rights.ts";
import { type RunOutputProcedures, runOutputProcedures } from "./run-output.ts";
import { type RunScriptProcedures, runScriptProcedures } from "./run-scripts.ts";
import { isSameTRPC, TWO_COPIES } from "./same-trpc.ts";
import { type SessionProcedures, sessionProcedures } from "./sessions.ts";
import { snapshotProcedures } from "./snapshots.ts";
import { type StreamProcedures, streamProcedures } from "./streams.ts";
import { systemProcedures } from "./system.ts";

/** The context that a resolver of the host's `procedure` sees. */
type ContextOf<TContext, TOverrides> = Omit<TContext, keyof TOverrides> & TOverrides;

export interface AuthorizeRequest<TContext> {
  readonly ctx: TContext;
  readonly action: Action;
  /** Absent: whether the caller may do this at all. `*`: everything, whatever project it belongs to, or none. */
  readonly projectId?: string;
  /**
   * The device, trimmed and in lower case: `receive` in its name, `write` what is sent to it, `read` what became of it.
   * A device belongs to no project: whether a caller who may see only some may send is for the host to say.
   */
  readonly deviceId?: string;
  /** True for the look every 60 s at a subscription that lives: ask again, a cached answer may be old. */
  readonly recheck?: boolean;
}

export interface SnapwireProceduresOptions<
  TContext extends object,
  TMeta extends object,
  TOverrides extends object,
  Entry = WorkspaceEntry,
> {
  readonly live: Snapwire<Entry>;
  /** The host's procedure, behind its own middlewares: context and auth are the host's. */
  readonly procedure: TRPCProcedureBuilder<
    TContext,
    TMeta,
    TOverrides,
    TRPCUnsetMarker,
    TRPCUnsetMarker,
    TRPCUnsetMarker,
    TRPCUnsetMarker,
    false
  >;
  /**
   * Who may do what; anything but true is FORBIDDEN, a TRPCError thrown is sent as it is. Asked at each call, at subscribe, at each
   * resume, and every 60 s while a subscription lives. @defaultValue everyone whom `procedure` lets through
   */
  readonly authorize?: (
    request: AuthorizeRequest<ContextOf<TContext, TOverrides>>,
  ) => boolean | Promise<boolean>;
  /** The connection of a subscription, so that a slow client holds it back: `connectionOf` of `snapwire/server`. */
  readonly connection?: (ctx: ContextOf<TContext, TOverrides>) => SnapwireConnection | undefined;
  /**
   * Names the caller: shown as who opened an inbox, and the client keys of its messages are its own.
   * @defaultValue nameless; all callers share their client keys
   */
  readonly subject?: (ctx: ContextOf<TContext, TOverrides>) => string | undefined;
  /** `tracked` of the host's copy of `@trpc/server`, where it is another one than ours: so it is typed by no copy. */
  readonly tracked?: <Data>(id: string, data: Data) => unknown;
  /** How often the rights of live subscriptions are looked at again, in milliseconds. @defaultValue 60_000 */
  readonly recheckEveryMs?: number;
  readonly logger?: Logger;
}

const wordOf = (projectId: string): string =>
  projectId === EVERY_PROJECT ? "everything; name what it may see" : `project ${projectId}`;

export interface Shape<Input, Output> {
  input: Input;
  output: Output;
  meta: unknown;
  errorShape: unknown;
}

/** What `upsert` takes beside its addressing: the built-in fields, or whatever the schema of a host's model says. */
type PatchOf<Entry> = Entry extends WorkspaceEntry ? Partial<WorkspaceFields> : Record<string, unknown>;

export type UpsertInput<Entry> = {
  workspaceId: string;
  /** When the observation began, in milliseconds since 1970. */
  observedAt?: number | undefined;
  /** Kebab-case; who says so. */
  source?: string | undefined;
  /** Where the workspace has to be, unless it is new; while it is in another project: `other-project`. */
  expectedProjectId?: string | undefined;
} & PatchOf<Entry>;

/** The frame of `snapshots.onProjects`: the whole list, each time it changes. */
export interface ProjectsFrame {
  readonly type: "projects";
  readonly projects: readonly string[];
}

/** A type, not an interface: only a type fits the index signature of a router's record. */
export type SnapshotProcedures<Entry> = {
  onProject: TRPCSubscriptionProcedure<
    Shape<
      { projectId: string; lastEventId?: string | null | undefined },
      AsyncIterable<TrackedFrame<SnapshotFrame<Entry>>, void, unknown>
    >
  >;
  onProjects: TRPCSubscriptionProcedure<
    Shape<
      { lastEventId?: string | null | undefined } | undefined,
      AsyncIterable<TrackedFrame<ProjectsFrame>, void, unknown>
    >
  >;
  projects: TRPCQueryProcedure<Shape<void, { projects: readonly string[] }>>;
  byProject: TRPCQueryProcedure<
    Shape<
      { projectId: string; atLeast?: string | undefined },
      { position: string; entries: readonly Entry[]; complete: boolean }
    >
  >;
  byWorkspace: TRPCQueryProcedure<Shape<{ workspaceId: string }, { position: string; entry: Entry } | null>>;
  upsert: TRPCMutationProcedure<Shape<UpsertInput<Entry>, WriteResult>>;
  remove: TRPCMutationProcedure<
    Shape<{ workspaceId: string; observedAt?: number | undefined; source?: string | undefined }, WriteResult>
  >;
};

export type SystemProcedures = {
  health: TRPCQueryProcedure<Shape<void, Omit<Health, "checks"> & Partial<Pick<Health, "checks">>>>;
  stats: TRPCQueryProcedure<Shape<void, SnapwireStats>>;
  clients: TRPCQueryProcedure<
    Shape<{ limit?: number | undefined } | undefined, { clients: readonly ClientReport[] }>
  >;
};

export interface SnapwireProcedures<Entry = WorkspaceEntry> {
  snapshots: SnapshotProcedures<Entry>;
  events: EventProcedures;
  agents: AgentProcedures;
  streams: StreamProcedures;
  sessions: SessionProcedures;
  runScripts: RunScriptProcedures & RunOutputProcedures;
  ratchet: RatchetProcedures;
  github: GithubProcedures;
  system: SystemProcedures;
}

/** What the sub-routers share, with the host's types taken off: the public types are those above. */
export interface ProcedureRoom<Entry> {
  readonly live: Snapwire<Entry>;
  readonly procedure: BareBuilder;
  readonly rights: RightsSweep;
  readonly tracked: typeof ownTracked;
  /** @throws TRPCError FORBIDDEN, or what the host's `authorize` throws. */
  authorize(request: AuthorizeRequest<object>): Promise<void>;
  allowed(request: AuthorizeRequest<object>): Promise<boolean>;
  connection(ctx: object): SnapwireConnection | undefined;
  subject(ctx: object): string | undefined;
  /** @throws TRPCError when frames would not be recognised as tracked. */
  assertSameTRPC(): Promise<void>;
}

type BareBuilder = TRPCProcedureBuilder<
  object,
  object,
  object,
  TRPCUnsetMarker,
  TRPCUnsetMarker,
  TRPCUnsetMarker,
  TRPCUnsetMarker,
  false
>;

export function createSnapwireProcedures<
  TContext extends object,
  TMeta extends object,
  TOverrides extends object,
  Entry extends { readonly workspaceId: string } = WorkspaceEntry,
>(options: SnapwireProceduresOptions<TContext, TMeta, TOverrides, Entry>): SnapwireProcedures<Entry> {
  const { live, logger } = options;
  const sameTRPC = options.tracked ? Promise.resolve(true) : isSameTRPC(options.procedure);
  void sameTRPC.then((same) => {
    if (!same) logger?.error({}, TWO_COPIES);
  });
  const allowed = ({ ctx, ...request }: AuthorizeRequest<object>): Promise<boolean> =>
    answering(async () => {
      if (!options.authorize) return true;
      return (await options.authorize({ ctx: ctx as ContextOf<TContext, TOverrides>, ...request })) === true;
    });
  const room: ProcedureRoom<Entry> = {
    live,
    procedure: options.procedure as unknown as BareBuilder,
    rights: new RightsSweep({
      ...(options.recheckEveryMs === undefined ? {} : { everyMs: options.recheckEveryMs }),
      ...(logger === undefined ? {} : { logger }),
    }),
    tracked: (options.tracked as typeof ownTracked | undefined) ?? ownTracked,
    allowed,
    authorize: async (request) => {
      if (await allowed(request)) return;
      const what =
        request.projectId === undefined ? "do this" : `${request.action} ${wordOf(request.projectId)}`;
      throw new TRPCError({ code: "FORBIDDEN", message: `This identity may not ${what}.` });
    },
    connection: (ctx) => options.connection?.(ctx as ContextOf<TContext, TOverrides>),
    subject: (ctx) => options.subject?.(ctx as ContextOf<TContext, TOverrides>),
    assertSameTRPC: async () => {
      if (!(await sameTRPC)) throw new TRPCError({ code: "INTERNAL_SERVER_ERROR", message: TWO_COPIES });
    },
  };
  live.onRevoke(() => void room.rights.sweep());
  const procedures = {
    snapshots: snapshotProcedures(room),
    events: eventProcedures(room),
    agents: agentProcedures(room),
    streams: streamProcedures(room),
    sessions: sessionProcedures(room),
    runScripts: { ...runScriptProcedures(room), ...runOutputProcedures(room) },
    ratchet: ratchetProcedures(room),
    github: githubProcedures(room),
    system: systemProcedures(room),
  };
  const { snapshots, events, agents, streams, sessions } = procedures;
  drivable(snapshots.onProject, events.onScope, agents.onPresence, streams.onProject, sessions.onSession);
  return procedures;
}
