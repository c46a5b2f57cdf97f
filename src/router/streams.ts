/** `streams`: lines of work of a project and their artifacts, asked for, watched, and changed. */
import type { TRPCMutationProcedure, TRPCQueryProcedure, TRPCSubscriptionProcedure } from "@trpc/server";
import { z } from "zod";
import type { TrackedFrame } from "../protocol/frames.ts";
import {
  type ArtifactEntry,
  type ArtifactName,
  STREAM_STATUSES,
  type StreamEntry,
  type StreamFrame,
  type StreamStatus,
} from "../protocol/streams.ts";
import type {
  ArchiveStreamInput,
  CreateStreamInput,
  PutArtifactInput,
  StreamPhaseInput,
  UpdateStreamInput,
} from "../streams/inputs.ts";
import type { ArtifactAnswer, DeletedAnswer, StreamAnswer } from "../streams/streams.ts";
import { answering } from "./errors.ts";
import { id, lastEventId, reading } from "./input.ts";
import type { ProcedureRoom, Shape } from "./procedures.ts";
import { stillAllowed } from "./rights.ts";
import { assertServing, watchFeed } from "./watch-feed.ts";

/** A type, not an interface: only a type fits the index signature of a router's record. */
export type StreamProcedures = {
  onProject: TRPCSubscriptionProcedure<
    Shape<
      { projectId: string; lastEventId?: string | null | undefined },
      AsyncIterable<TrackedFrame<StreamFrame>, void, unknown>
    >
  >;
  list: TRPCQueryProcedure<
    Shape<
      { projectId: string; status?: StreamStatus | undefined },
      { position: string; streams: readonly StreamEntry[] }
    >
  >;
  get: TRPCQueryProcedure<
    Shape<
      { projectId: string; streamId: string },
      { position: string; stream: StreamEntry; artifacts: readonly ArtifactEntry[] } | null
    >
  >;
  artifacts: TRPCQueryProcedure<
    Shape<
      { projectId: string; streamId?: string | undefined },
      { position: string; artifacts: readonly ArtifactEntry[] }
    >
  >;
  create: TRPCMutationProcedure<Shape<CreateStreamInput, StreamAnswer>>;
  update: TRPCMutationProcedure<Shape<UpdateStreamInput, StreamAnswer>>;
  phase: TRPCMutationProcedure<Shape<StreamPhaseInput, StreamAnswer>>;
  archive: TRPCMutationProcedure<Shape<ArchiveStreamInput, StreamAnswer>>;
  putArtifact: TRPCMutationProcedure<Shape<PutArtifactInput, ArtifactAnswer>>;
  deleteArtifact: TRPCMutationProcedure<Shape<ArtifactName, DeletedAnswer>>;
};

const onProjectInput = reading(z.object({ projectId: id, lastEventId }));
const listInput = reading(z.object({ projectId: id, status: z.enum(STREAM_STATUSES).optional() }));
const getInput = reading(z.object({ projectId: id, streamId: id }));
const artifactsInput = reading(z.object({ projectId: id, streamId: id.optional() }));
/** The rest is read where it is done. */
const commandInput = reading(z.looseObject({ projectId: id }));

export function streamProcedures<Entry>(room: ProcedureRoom<Entry>): StreamProcedures {
  const { live, procedure, authorize } = room;
  const { streams } = live;

  const onProject = procedure
    .input(onProjectInput)
    .use(async ({ ctx, input: { projectId }, next }) => {
      await authorize({ ctx, action: "read", projectId });
      await room.assertSameTRPC();
      await answering(() => assertServing(live));
      return next();
    })
    .subscription(({ ctx, input: { projectId, lastEventId }, signal }) =>
      watchFeed(room, {
        ctx,
        signal,
        feed: streams.feed,
        scope: projectId,
        lastEventId,
        allowed: () => stillAllowed(room, ctx, { projectId }),
      }),
    );

  const list = procedure.input(listInput).query(async ({ ctx, input: { projectId, status } }) => {
    await authorize({ ctx, action: "read", projectId });
    await answering(() => assertServing(live));
    const all = streams.list(projectId);
    return {
      position: streams.positionOf(projectId),
      streams: status === undefined ? all : all.filter((stream) => stream.status === status),
    };
  });

  const get = procedure.input(getInput).query(async ({ ctx, input: { projectId, streamId } }) => {
    await authorize({ ctx, action: "read", projectId });
    await answering(() => assertServing(live));
    const stream = streams.get(projectId, streamId);
    if (!stream) return null;
    return {
      position: streams.positionOf(projectId),
      stream,
      artifacts: streams.artifacts(projectId, streamId),
    };
  });

  const artifacts = procedure.input(artifactsInput).query(async ({ ctx, input: { projectId, streamId } }) => {
    await authorize({ ctx, action: "read", projectId });
    await answering(() => assertServing(live));
    return { position: streams.positionOf(projectId), artifacts: streams.artifacts(projectId, streamId) };
  });

  /** A command of somebody who may write the project. */
  const command = <Input extends { readonly projectId: string }>(run: (input: Input) => Promise<unknown>) =>
    procedure.input(commandInput).mutation(async ({ ctx, input }) => {
      await authorize({ ctx, action: "write", projectId: input.projectId });
      return answering(() => run(input as unknown as Input));
    });

  return {
    onProject,
    list,
    get,
    artifacts,
    create: command((input: CreateStreamInput) => streams.create(input)),
    update: command((input: UpdateStreamInput) => streams.update(input)),
    phase: command((input: StreamPhaseInput) => streams.phase(input)),
    archive: command((input: ArchiveStreamInput) => streams.archive(input)),
    putArtifact: command((input: PutArtifactInput) => streams.putArtifact(input)),
    deleteArtifact: command((input: ArtifactName) => streams.deleteArtifact(input)),
  } as unknown as StreamProcedures;
}
