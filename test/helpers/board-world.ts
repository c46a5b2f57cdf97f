/** A project in every state that a card can be in: what a team of people and agents looks like on an afternoon. */
import type { SessionSummary, WorkspaceFields } from "../../src/protocol/workspace.ts";

type Patch = Partial<WorkspaceFields>;

/** What the sources would say of each workspace, by name. */
export function team(projectId: string, now = Date.now()): readonly (readonly [id: string, patch: Patch])[] {
  const ago = (minutes: number): string => new Date(now - minutes * 60_000).toISOString();
  const pull = (number: number, more: Patch = {}): Patch => ({
    prUrl: `https://github.com/example/${projectId}/pull/${number}`,
    prNumber: number,
    prState: "OPEN",
    prCiStatus: "SUCCESS",
    ...more,
  });
  const ready = (name: string, branchName: string, minutes: number, more: Patch = {}): Patch => ({
    projectId,
    name,
    branchName,
    status: "READY",
    hasHadSessions: true,
    createdAt: ago(minutes + 300),
    lastActivityAt: ago(minutes),
    ...more,
  });
  const session = (name: string, more: Partial<SessionSummary> = {}): SessionSummary => ({
    sessionId: `session-${name}`,
    name,
    workflow: null,
    model: "opus",
    provider: "CLAUDE",
    persistedStatus: "RUNNING",
    runtimePhase: "idle",
    processState: "alive",
    activity: "IDLE",
    updatedAt: ago(1),
    lastExit: null,
    ...more,
  });
  const working = (name: string, minutes: number): readonly SessionSummary[] => [
    session(name, { runtimePhase: "running", activity: "WORKING", updatedAt: ago(minutes) }),
  ];
  const stats = (additions: number, deletions: number, total: number, hasUncommitted = false) => ({
    total,
    additions,
    deletions,
    hasUncommitted,
  });
  return [
    [
      "login-form",
      ready("Login form", "feature/login-form", 0, {
        isWorking: true,
        sessionSummaries: working("Build the form", 0),
        gitStats: stats(412, 38, 14, true),
      }),
    ],
    [
      "search-index",
      ready("Search index", "feature/search-index", 3, {
        isWorking: true,
        sessionSummaries: working("Index writer", 3),
        gitStats: stats(1204, 310, 41, true),
      }),
    ],
    [
      "rate-limits",
      ready("Rate limits per token", "feature/rate-limits", 6, {
        ...pull(128, { prCiStatus: "PENDING" }),
        gitStats: stats(96, 12, 5),
      }),
    ],
    [
      "flaky-upload",
      ready("Flaky upload test", "fix/flaky-upload", 11, {
        ...pull(131, { prCiStatus: "FAILURE" }),
        ratchetEnabled: true,
        ratchetState: "CI_FAILED",
        gitStats: stats(22, 9, 3),
      }),
    ],
    [
      "new-runner",
      {
        projectId,
        name: "New runner image",
        branchName: "chore/runner-image",
        status: "PROVISIONING",
        createdAt: ago(1),
        lastActivityAt: ago(1),
      },
    ],
    [
      "billing-export",
      ready("Billing export", "feature/billing-export", 2, {
        pendingRequestType: "permission_request",
        sessionSummaries: [session("Export to CSV", { updatedAt: ago(2) })],
        gitStats: stats(230, 51, 9, true),
      }),
    ],
    [
      "dark-mode",
      ready("Dark mode for the settings page", "feature/settings-dark-mode", 9, {
        pendingRequestType: "user_question",
        sessionSummaries: [session("Palette", { updatedAt: ago(9) })],
        gitStats: stats(148, 90, 11),
      }),
    ],
    [
      "old-sessions",
      ready("Session cleanup", "fix/session-cleanup", 25, {
        sessionSummaries: [
          session("Sweep", {
            updatedAt: ago(25),
            runtimePhase: "error",
            processState: "stopped",
            errorMessage: "The model refused the request: context too long.",
          }),
        ],
        gitStats: stats(61, 4, 4),
      }),
    ],
    [
      "csv-import",
      ready("CSV import", "feature/csv-import", 48, {
        ...pull(117, { prState: "APPROVED" }),
        gitStats: stats(530, 12, 12),
      }),
    ],
    [
      "docs-pass",
      ready("Docs: getting started", "docs/getting-started", 70, {
        ...pull(122),
        gitStats: stats(88, 140, 7),
      }),
    ],
    ["idle-idea", ready("Try the new parser", "spike/parser", 200, { hasHadSessions: false })],
    [
      "refactor-auth",
      ready("Auth, untangled", "refactor/auth", 95, {
        sessionSummaries: [session("Extract", { updatedAt: ago(95), processState: "stopped" })],
        gitStats: stats(300, 422, 22),
      }),
    ],
    [
      "pagination",
      ready("Cursor pagination", "feature/pagination", 130, {
        ...pull(109, { prState: "MERGED" }),
        gitStats: stats(190, 33, 8),
      }),
    ],
    [
      "typo-fixes",
      ready("Typos in the emails", "fix/typos", 1_500, {
        ...pull(101, { prState: "MERGED" }),
        gitStats: stats(6, 6, 4),
      }),
    ],
    [
      "graphql-spike",
      ready("GraphQL, a spike", "spike/graphql", 4_000, {
        ...pull(88, { prState: "CLOSED" }),
        gitStats: stats(900, 20, 31),
      }),
    ],
  ];
}
