/** What callers say of streams and artifacts: shapes and bounds. */
import { z } from "zod";
import { SnapwireError } from "../protocol/errors.ts";
import { type JsonObject, STREAM_PHASES, type StreamPhase } from "../protocol/event-types.ts";
import { type ArtifactName, STREAM_OUTCOMES, type StreamOutcome } from "../protocol/streams.ts";

/** Longest texts in UTF-16 units; `changes` and what is kept of them, as JSON. */
export const STREAM_LIMITS = {
  id: 512,
  name: 1_024,
  path: 4_096,
  clientKey: 200,
  changes: 16_384,
  /** Keys and values that a stream keeps, as JSON. */
  metadata: 65_536,
  /** Files of one stream; and what the event of a phase lists. */
  files: 1_000,
} as const;

const id = z.string().min(1).max(STREAM_LIMITS.id);
const name = z.string().max(STREAM_LIMITS.name);
const clientKey = z.string().min(1).max(STREAM_LIMITS.clientKey);
const time = z.iso.datetime({
  offset: true,
  error: "expected an RFC 3339 time such as 2026-08-01T12:00:00Z",
});

/** Said by other calls, or by none. */
const NOT_CHANGES = [
  "projectId",
  "streamId",
  "version",
  "phase",
  "status",
  "outcome",
  "metadata",
  "createdAt",
  "updatedAt",
  "archivedAt",
];

const changes = z
  .record(z.string().min(1).max(STREAM_LIMITS.id), z.json())
  .refine((said) => JSON.stringify(said).length <= STREAM_LIMITS.changes, {
    error: `expected at most ${STREAM_LIMITS.changes} characters of JSON`,
  })
  .refine((said) => NOT_CHANGES.every((key) => !Object.hasOwn(said, key)), {
    error: `${NOT_CHANGES.join(", ")} cannot be changed like this`,
  })
  .refine((said) => said.name === undefined || (typeof said.name === "string" && isName(said.name)), {
    error: `expected name to be a text of 1 to ${STREAM_LIMITS.name} characters`,
  });

function isName(text: string): boolean {
  return text.length > 0 && text.length <= STREAM_LIMITS.name;
}

const createStreamSchema = z.strictObject({ projectId: id, name: name.min(1), clientKey });
const updateStreamSchema = z.strictObject({
  projectId: id,
  streamId: id,
  changes,
  clientKey: clientKey.optional(),
});
const phaseSchema = z.strictObject({
  projectId: id,
  streamId: id,
  phase: z.enum(STREAM_PHASES),
  artifacts: z.array(name).max(STREAM_LIMITS.files).optional(),
  clientKey: clientKey.optional(),
});
const archiveStreamSchema = z.strictObject({
  projectId: id,
  streamId: id,
  outcome: z.enum(STREAM_OUTCOMES),
  clientKey: clientKey.optional(),
});

const streamArtifact = z.strictObject({
  projectId: id,
  streamId: id,
  filename: name.min(1),
  phase: z.enum(STREAM_PHASES).optional(),
  modifiedAt: time.optional(),
});
const projectArtifact = z.strictObject({
  projectId: id,
  id,
  name,
  type: name,
  path: z.string().max(STREAM_LIMITS.path),
  status: name,
  phase: z.int(),
  phaseName: name,
  isSharded: z.boolean(),
  parentId: id.optional(),
  modifiedAt: time.optional(),
});
const fileName = z.strictObject({ projectId: id, streamId: id, filename: name.min(1) });
const documentName = z.strictObject({ projectId: id, id });

export interface CreateStreamInput {
  readonly projectId: string;
  readonly name: string;
  /** Names this creation: the same key again answers the same stream, and makes no second one. */
  readonly clientKey: string;
}

interface OfStream {
  readonly projectId: string;
  readonly streamId: string;
  /** The same key again changes nothing. */
  readonly clientKey?: string | undefined;
}

export interface UpdateStreamInput extends OfStream {
  /** `name` renames; everything else goes into `metadata`, where null takes a key out. */
  readonly changes: JsonObject;
}

export interface StreamPhaseInput extends OfStream {
  readonly phase: StreamPhase;
  /** What the event lists. @defaultValue the files of the stream that are known here */
  readonly artifacts?: readonly string[] | undefined;
}

export interface ArchiveStreamInput extends OfStream {
  readonly outcome: StreamOutcome;
}

interface Modified {
  /** When its content last changed, RFC 3339: news of it is an update although nothing else changed. */
  readonly modifiedAt?: string | undefined;
}

interface PutStreamArtifactInput extends Modified {
  readonly projectId: string;
  readonly streamId: string;
  readonly filename: string;
  readonly phase?: StreamPhase | undefined;
}

interface PutProjectArtifactInput extends Modified {
  readonly projectId: string;
  readonly id: string;
  readonly name: string;
  readonly type: string;
  readonly path: string;
  readonly status: string;
  readonly phase: number;
  readonly phaseName: string;
  readonly isSharded: boolean;
  readonly parentId?: string | undefined;
}

export type PutArtifactInput = PutStreamArtifactInput | PutProjectArtifactInput;

const SHOWN_ISSUES = 5;

/** @throws SnapwireError `invalid-input`. */
function read<Schema extends z.ZodType>(schema: Schema, input: unknown): z.output<Schema> {
  const parsed = schema.safeParse(input);
  if (parsed.success) return parsed.data;
  const { issues } = parsed.error;
  const shown = issues
    .slice(0, SHOWN_ISSUES)
    .map(({ path, message }) => [z.core.toDotPath(path), message].filter(Boolean).join(": "));
  if (issues.length > SHOWN_ISSUES) shown.push(`and ${issues.length - SHOWN_ISSUES} more`);
  throw new SnapwireError("invalid-input", `Not what streams take: ${shown.join("; ")}.`);
}

const isOfStream = (input: object): boolean => "streamId" in input;

export const readCreate = (input: CreateStreamInput): CreateStreamInput => read(createStreamSchema, input);
export const readUpdate = (input: UpdateStreamInput): UpdateStreamInput => read(updateStreamSchema, input);
export const readPhase = (input: StreamPhaseInput): StreamPhaseInput => read(phaseSchema, input);
export const readArchive = (input: ArchiveStreamInput): ArchiveStreamInput =>
  read(archiveStreamSchema, input);
/** Which of the two it is meant to be is seen by its `streamId`, so that a refusal speaks of the right one. */
export const readPut = (input: PutArtifactInput): PutArtifactInput =>
  isOfStream(input) ? read(streamArtifact, input) : read(projectArtifact, input);
export const readArtifactName = (input: ArtifactName): ArtifactName =>
  isOfStream(input) ? read(fileName, input) : read(documentName, input);
