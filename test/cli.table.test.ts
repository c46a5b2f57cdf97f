import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { ConnectionState, ProjectSnapshot, ReplicaStatus } from "../client/index.ts";
import { widthOf } from "../src/cli/text-width.ts";
import { ageOf, renderTable, type ShownProject, type TableInput } from "../src/cli/watch-table.ts";
import type { WorkspaceEntry, WorkspaceFields } from "../src/protocol/workspace.ts";
import { workspaceModel } from "../src/workspace/index.ts";

const NOW = Date.UTC(2026, 0, 2, 12);
const OPEN: ConnectionState = { status: "open", reason: undefined, detail: undefined };

function entry(workspaceId: string, fields: Partial<WorkspaceFields> = {}): WorkspaceEntry {
  const observation = { observedAt: NOW };
  const patch = { projectId: "app", name: workspaceId, status: "READY", ...fields } as const;
  const { state } = workspaceModel.fold(undefined, patch, observation);
  const meta = { version: 1, computedAt: new Date(NOW).toISOString(), source: "initial" };
  return workspaceModel.entryOf(workspaceId, state, meta);
}

function project(
  entries: readonly WorkspaceEntry[],
  standing: Partial<ProjectSnapshot<WorkspaceEntry>> & { readonly staleSince?: string } = {},
): ShownProject {
  const { staleSince, ...rest } = standing;
  const snapshot: ProjectSnapshot<WorkspaceEntry> = {
    projectId: "app",
    entries,
    byId: new Map(),
    position: "AAAAAAAAAAAA.1",
    complete: true,
    status: "live",
    reason: undefined,
    detail: undefined,
    ...rest,
  };
  return { snapshot, staleSince };
}

function table(projects: readonly ShownProject[], more: Partial<TableInput> = {}): string[] {
  return renderTable({
    url: "http://127.0.0.1:4747",
    projects,
    listed: true,
    connection: OPEN,
    lastHeard: NOW,
    now: NOW,
    columns: 120,
    color: false,
    ...more,
  });
}

describe("the rows", () => {
  test("show project, workspace, branch, reason, lines, uncommitted, CI and age", () => {
    const lines = table([
      project([
        entry("fix-login", {
          branchName: "fix/login",
          isWorking: true,
          gitStats: { total: 2, additions: 12, deletions: 3, hasUncommitted: true },
          lastActivityAt: new Date(NOW - 3 * 60_000).toISOString(),
          prUrl: "https://example.com/1",
          prNumber: 1,
          prState: "OPEN",
          prCiStatus: "SUCCESS",
        }),
      ]),
    ]);
    expect(lines).toEqual([
      "live   http://127.0.0.1:4747   1 workspace in 1 project",
      "",
      "PROJECT  WORKSPACE  BRANCH     STATUS         +/-     U  CI       AGE",
      "app      fix-login  fix/login  Agent working  +12 -3  *  passing  3m",
    ]);
  });

  test("stand in the order of their names, project by project", () => {
    const lines = table([project([entry("b"), entry("a")]), project([entry("0")], { projectId: "site" })]);
    expect(lines.slice(3).map((line) => line.split(/ +/).slice(0, 2))).toEqual([
      ["app", "a"],
      ["app", "b"],
      ["site", "0"],
    ]);
  });

  test("are counted where the window is too low", () => {
    const lines = table([project(Array.from({ length: 30 }, (_, index) => entry(`w${index}`)))], {
      rows: 10,
    });
    expect(lines).toHaveLength(10);
    expect(lines.at(-1)).toBe("and 24 more; the window is too low");
  });

  test("of a host's own model say nothing where it has no such field", () => {
    const foreign = { workspaceId: "w", mood: "fine" } as unknown as WorkspaceEntry;
    expect(table([project([foreign])]).at(-1)).toMatch(/^app +w +- +- +- +- +-$/);
  });
});

describe("the first lines tell the truth about freshness", () => {
  const stale = project([entry("w")], {
    status: "stale",
    reason: "source-away",
    detail: "the repository cannot be reached",
    staleSince: "2026-01-02T11:59:00.000Z",
  });

  test("a project whose source is away is stale, since when and why", () => {
    const [first, second] = table([stale, project([], { projectId: "site" })]);
    expect(first).toMatch(/^partly live {3}/);
    expect(second).toBe("app: stale since 2026-01-02T11:59:00.000Z (the repository cannot be reached)");
  });

  test.each<[ReplicaStatus, string]>([
    ["connecting", "app: connecting"],
    ["catching-up", "app: catching-up"],
    ["reconnecting", "app: reconnecting"],
    ["denied", "app: denied (This identity may not read project app.)"],
    ["ended", "app: ended (project-gone)"],
  ])("nothing is called live while the only project is %s", (status, line) => {
    const detail = status === "denied" ? "This identity may not read project app." : undefined;
    const reason = status === "ended" ? "project-gone" : undefined;
    const lines = table([project([entry("w")], { status, reason, detail })]);
    expect(lines[0]).toMatch(/^not live {3}/);
    expect(lines[1]).toBe(line);
  });

  test("a lost connection is said instead, with the reason and the last sign of life", () => {
    const connection: ConnectionState = {
      status: "reconnecting",
      reason: "connection-lost",
      detail: "closed with code 1006",
    };
    const [first] = table([project([entry("w")], { status: "reconnecting" })], {
      connection,
      lastHeard: NOW - 12_000,
    });
    expect(first).toMatch(/^reconnecting \(closed with code 1006\), last heard 12s ago {3}/);
  });

  test("not loaded, empty and no project are three different answers", () => {
    expect(table([], { listed: false }).at(-1)).toBe("Asking which projects there are ...");
    expect(table([]).at(-1)).toBe("No projects.");
    expect(table([project([])]).at(-1)).toBe("No workspaces.");
    expect(table([project([], { complete: false })]).at(-1)).toBe("Nothing has been read yet ...");
    expect(table([project([], { position: undefined, status: "connecting" })]).at(-1)).toBe(
      "Nothing has been read yet ...",
    );
  });
});

describe("whatever the names are", () => {
  const text = fc.string({ unit: "binary", maxLength: 60 });
  const anyProjects = fc.array(
    fc.record({
      id: text,
      detail: text,
      workspaces: fc.array(fc.record({ name: text, branch: text }), { maxLength: 4 }),
    }),
    { maxLength: 3 },
  );

  test("no line is wider than the window or writes a control code, and no page is higher than the window", () => {
    fc.assert(
      fc.property(
        anyProjects,
        fc.integer({ min: 1, max: 140 }),
        fc.integer({ min: 1, max: 12 }),
        (projects, columns, rows) => {
          const lines = table(
            projects.map(({ id, detail, workspaces }) =>
              project(
                workspaces.map(({ name, branch }) => entry(`${name}!`, { branchName: branch })),
                { projectId: id, detail, status: "stale", reason: "source-away", staleSince: detail },
              ),
            ),
            { columns, rows },
          );
          expect(lines.length).toBeLessThanOrEqual(rows);
          for (const line of lines) {
            expect(widthOf(line)).toBeLessThanOrEqual(columns);
            expect(line).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2028\u2029]/);
          }
        },
      ),
    );
  });

  test("colours are the only control codes, and only where they are wanted", () => {
    const hostile = [project([entry("\x1b]0;x\x07", { branchName: "\x9b2J", isWorking: true })])];
    const ours = /\x1b\[[0-9]*m/g;
    const painted = table(hostile, { color: true }).join("");
    expect(painted).toMatch(ours);
    expect(painted.replace(ours, "")).toBe(table(hostile).join(""));
  });
});

test.each([
  [-5_000, "0s"],
  [0, "0s"],
  [59_999, "59s"],
  [60_000, "1m"],
  [7_200_000, "2h"],
  [8 * 86_400_000, "8d"],
])("an age of %d ms is %s", (ms, shown) => {
  expect(ageOf(ms)).toBe(shown);
});
