/** From a webhook's payload to observations. Unknown keys are ignored; what is asked for and not there refuses it. */
import { z } from "zod";
import { SnapwireError } from "../protocol/errors.ts";
import { actionsRunId } from "../workspace/index.ts";
import type { Observation, PullObservation } from "./observation.ts";

const sha = z.string().regex(/^[0-9a-f]{40,64}$/);
const text = z.string().max(4_096);
const time = z.string().transform((said, context) => {
  const ms = Date.parse(said);
  if (!Number.isNaN(ms)) return ms;
  context.addIssue({ code: "custom", message: "not a time" });
  return z.NEVER;
});
const repository = z.object({ full_name: text });
const base = z.object({ repository });

export const pullSchema = z.object({
  number: z.int().min(1),
  html_url: text,
  state: z.enum(["open", "closed"]),
  draft: z.boolean().optional(),
  merged: z.boolean().optional(),
  merged_at: z.string().nullish(),
  closed_at: time.nullish(),
  mergeable_state: z.string().optional(),
  mergeable: z.boolean().nullish(),
  updated_at: time,
  head: z.object({ ref: text, sha, repo: repository.nullish() }),
  base: z.object({ repo: z.object({ default_branch: text.optional() }).nullish() }).optional(),
});

export const reviewSchema = z.object({
  id: z.int(),
  user: z.object({ login: text }).nullish(),
  state: z.string(),
  submitted_at: time.optional(),
});

export const checkRunSchema = z.object({
  id: z.int(),
  name: text,
  head_sha: sha,
  status: z.string(),
  conclusion: z.string().nullish(),
  details_url: text.nullish(),
  html_url: text.nullish(),
  started_at: time.nullish(),
  completed_at: time.nullish(),
  app: z.object({ id: z.int() }).nullish(),
  check_suite: z.object({ id: z.int() }).nullish(),
});

const suiteSchema = z.object({
  id: z.int(),
  head_sha: sha,
  status: z.string().nullish(),
  conclusion: z.string().nullish(),
  updated_at: time,
});

export const workflowRunSchema = z.object({
  id: z.int(),
  name: text.nullish(),
  head_sha: sha,
  html_url: text,
  status: z.string().nullish(),
  conclusion: z.string().nullish(),
  check_suite_id: z.int().optional(),
  run_attempt: z.int().optional(),
  run_started_at: time.optional(),
  updated_at: time,
});

export const statusSchema = z.object({
  id: z.int(),
  context: text,
  state: z.string(),
  updated_at: time,
});

const EVENTS: Readonly<Record<string, (payload: unknown) => readonly Observation[]>> = {
  ping: () => [],
  pull_request: (payload) => {
    const said = read(z.object({ pull_request: pullSchema }), payload);
    return [pullObservation(said.pull_request)];
  },
  pull_request_review: (payload) => {
    const { action, review, pull_request } = read(
      z.object({ action: z.string(), review: reviewSchema, pull_request: z.object({ number: z.int() }) }),
      payload,
    );
    return reviewObservations(
      pull_request.number,
      action === "dismissed" ? { ...review, state: "dismissed" } : review,
    );
  },
  check_run: (payload) => {
    const { check_run } = read(z.object({ check_run: checkRunSchema }), payload);
    return [checkObservation(check_run)];
  },
  check_suite: (payload) => {
    const { check_suite: suite } = read(z.object({ check_suite: suiteSchema }), payload);
    const conclusion = suite.status === "completed" ? (suite.conclusion ?? null) : null;
    return [{ kind: "suite", sha: suite.head_sha, at: suite.updated_at, id: suite.id, conclusion }];
  },
  workflow_run: (payload) => {
    const { workflow_run } = read(z.object({ workflow_run: workflowRunSchema }), payload);
    return workflowObservations(workflow_run);
  },
  status: (payload) => {
    const said = read(statusSchema.extend({ sha }), payload);
    return [statusObservation(said.sha, said)];
  },
  push: (payload) => {
    const {
      ref,
      after,
      deleted,
      repository: where,
    } = read(
      z.object({
        ref: text,
        after: text,
        deleted: z.boolean().optional(),
        repository: z.object({ pushed_at: z.union([z.number(), time]) }),
      }),
      payload,
    );
    const branch = /^refs\/heads\/(.+)$/.exec(ref)?.[1];
    if (branch === undefined) return [];
    const at =
      typeof where.pushed_at === "number" && where.pushed_at < 1e11
        ? where.pushed_at * 1_000
        : where.pushed_at;
    return [{ kind: "push", branch, at, sha: deleted === true || /^0+$/.test(after) ? null : after }];
  },
};

/** The events that say something here, for people who tick them. */
export const GITHUB_EVENTS: readonly string[] = Object.keys(EVENTS);

/**
 * @param event - The header `X-GitHub-Event`.
 * @returns undefined for an event that says nothing here, or of no repository.
 * @throws SnapwireError `invalid-input` for a payload of another shape.
 */
export function readPayload(
  event: string,
  payload: unknown,
): { readonly repository: string; readonly observations: readonly Observation[] } | undefined {
  const reader = Object.hasOwn(EVENTS, event) ? EVENTS[event] : undefined;
  if (!reader) return undefined;
  const where = base.safeParse(payload);
  if (!where.success) return undefined;
  return { repository: where.data.repository.full_name.toLowerCase(), observations: reader(payload) };
}

export function read<Schema extends z.ZodType>(schema: Schema, payload: unknown): z.output<Schema> {
  const parsed = schema.safeParse(payload);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new SnapwireError(
    "invalid-input",
    `Not what GitHub sends: ${issue?.path.map(String).join(".") ?? ""}: ${issue?.message ?? "of another shape"}.`,
  );
}

const CLEAN: ReadonlySet<string> = new Set(["clean", "unstable", "blocked", "behind", "has_hooks", "draft"]);

/** @param seenAt - When it was asked for; absent for what was told. */
export function pullObservation(pull: z.output<typeof pullSchema>, seenAt?: number): PullObservation {
  const isDirty = pull.mergeable_state === "dirty" || pull.mergeable === false;
  const isClean = pull.mergeable === true || CLEAN.has(pull.mergeable_state ?? "");
  return {
    kind: "pull",
    number: pull.number,
    at: pull.updated_at,
    url: pull.html_url,
    state: pull.state,
    isDraft: pull.draft ?? false,
    isMerged: pull.merged ?? (pull.merged_at !== undefined && pull.merged_at !== null),
    headRef: pull.head.ref,
    headSha: pull.head.sha,
    headRepository: pull.head.repo?.full_name.toLowerCase() ?? null,
    isOfDefault: pull.base?.repo?.default_branch === pull.head.ref,
    closedAt: pull.state === "closed" ? (pull.closed_at ?? pull.updated_at) : null,
    hasConflict: isDirty ? true : isClean ? false : undefined,
    ...(seenAt === undefined ? {} : { seenAt }),
  };
}

export function reviewObservations(
  number: number,
  { id, user, state, submitted_at: at = 0 }: z.output<typeof reviewSchema>,
): readonly Observation[] {
  const decision = state.toLowerCase();
  if (decision !== "approved" && decision !== "changes_requested" && decision !== "dismissed") return [];
  return [{ kind: "review", number, at, id, reviewer: user?.login ?? "ghost", decision }];
}

export function checkObservation(run: z.output<typeof checkRunSchema>): Observation {
  const { id, name, status, conclusion = null, started_at, completed_at } = run;
  const detailsUrl = run.details_url ?? run.html_url ?? null;
  return {
    kind: "check",
    sha: run.head_sha,
    at: Math.max(started_at ?? 0, completed_at ?? 0),
    key: `run/${id}`,
    id,
    report: {
      name,
      detailsUrl,
      status,
      conclusion,
      ...(started_at == null ? {} : { startedAt: new Date(started_at).toISOString() }),
      ...(completed_at == null ? {} : { completedAt: new Date(completed_at).toISOString() }),
    },
    ...(actionsRunId(detailsUrl) === null ? { series: `${run.app?.id ?? ""}/${name}` } : {}),
    ...(run.check_suite ? { suiteId: run.check_suite.id } : {}),
  };
}

export function workflowObservations(run: z.output<typeof workflowRunSchema>): readonly Observation[] {
  const { id, head_sha, updated_at: at, check_suite_id: suiteId } = run;
  const name = run.name ?? "";
  const startedAt = new Date(run.run_started_at ?? at).toISOString();
  const status = run.status ?? "queued";
  const report = {
    workflowName: name,
    detailsUrl: run.html_url,
    status,
    conclusion: run.conclusion ?? null,
    startedAt,
  };
  return [
    {
      kind: "check",
      sha: head_sha,
      at,
      key: `workflow/${id}`,
      id,
      report,
      ...(suiteId === undefined ? {} : { suiteId }),
    },
    ...(suiteId === undefined ? [] : [{ kind: "workflow", sha: head_sha, at, suiteId, name } as const]),
  ];
}

export function statusObservation(commit: string, said: z.output<typeof statusSchema>): Observation {
  const { id, context, state, updated_at: at } = said;
  return { kind: "check", sha: commit, at, key: `status/${context}`, id, report: { context, state } };
}
