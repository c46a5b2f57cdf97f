/**
 * demo: a project that is made up, and says so.
 *
 * In:       a seed.                          Out: steps: what is seen of workspaces, sessions, devices and events, and when.
 * Promise:  the same seed tells the same story, for as long as anybody listens; nothing real is read or written.
 * Not here: who is told (a service that the steps are played to).
 */
import type { ActivityType } from "../protocol/event-types.ts";
import type { WorkspaceFields } from "../protocol/workspace.ts";
import type { SessionUpdateInput } from "../sessions/update.ts";
import { createRandom, type Random } from "./random.ts";

/** What the board shows as the project's name: nobody is to take it for their own. */
export const DEMO_PROJECT = "demo (made up)";

type Fields = Partial<Omit<WorkspaceFields, "projectId">>;

export type DemoAction =
  | { readonly kind: "workspace"; readonly workspaceId: string; readonly fields: Fields }
  | { readonly kind: "session"; readonly update: SessionUpdateInput }
  | { readonly kind: "leave"; readonly workspaceId: string }
  | { readonly kind: "device"; readonly deviceId: string; readonly online: boolean }
  | { readonly kind: "message"; readonly deviceId: string; readonly text: string }
  | {
      readonly kind: "event";
      readonly workspaceId: string;
      readonly type: ActivityType;
      readonly text: string;
    };

export interface DemoStep {
  /** After the step before, in milliseconds. */
  readonly afterMs: number;
  readonly action: DemoAction;
}

const TASKS = [
  ...[
    "fix-login",
    "dark-mode",
    "faster-search",
    "export-csv",
    "retry-uploads",
    "typed-config",
    "split-parser",
  ],
  ...[
    "cache-avatars",
    "drop-node-16",
    "undo-delete",
    "invite-links",
    "rate-limits",
    "audit-log",
    "new-icons",
  ],
] as const;
const DEVICES = ["kitchen-tablet", "build-box"] as const;
const WORKSPACES = 6;

interface Life {
  readonly workspaceId: string;
  readonly task: string;
  readonly steps: Iterator<readonly DemoAction[], void>;
}

/** Without an end: a workspace that is done gives way to a new one. */
export function* demoStory(seed: number): Generator<DemoStep, never, void> {
  const random = createRandom(seed);
  const lives: Life[] = [];
  let born = 0;
  const begin = (): Life => {
    born += 1;
    const task = TASKS[(born - 1) % TASKS.length] ?? "task";
    const workspaceId = `demo/${born <= TASKS.length ? task : `${task}-${Math.ceil(born / TASKS.length)}`}`;
    const life = { workspaceId, task, steps: lifeOf(workspaceId, task, born, random) };
    lives.push(life);
    return life;
  };
  while (lives.length < WORKSPACES) for (const action of next(begin())) yield { afterMs: 50, action };
  // Not all at their beginning: a board on which nothing is old looks like none.
  for (const [index, life] of lives.entries())
    for (let step = 0; step < index * 2; step += 1)
      for (const action of next(life)) yield { afterMs: 20, action };
  for (let turn = 0; ; turn += 1) {
    const life = lives[random.below(lives.length)];
    if (!life) continue;
    const actions = next(life);
    if (actions.length === 0) {
      lives.splice(lives.indexOf(life), 1);
      for (const action of next(begin())) yield { afterMs: 800, action };
      continue;
    }
    for (const [index, action] of actions.entries())
      yield { afterMs: index === 0 ? 400 + random.below(1_600) : 0, action };
    const deviceId = DEVICES[turn % DEVICES.length] ?? DEVICES[0];
    if (turn % 9 === 0) yield { afterMs: 0, action: { kind: "device", deviceId, online: turn % 27 !== 18 } };
    if (turn % 12 === 5)
      yield { afterMs: 0, action: { kind: "message", deviceId, text: `Look at ${life.task}` } };
  }
}

function next({ steps }: Life): readonly DemoAction[] {
  const { done, value } = steps.next();
  return done || !value ? [] : value;
}

/** From its beginning to its merge, with what goes wrong on the way. */
function* lifeOf(
  workspaceId: string,
  task: string,
  number: number,
  random: Random,
): Generator<readonly DemoAction[], void, void> {
  const sessionId = `${workspaceId}#1`;
  const set = (fields: Fields): DemoAction => ({ kind: "workspace", workspaceId, fields });
  const says = (type: ActivityType, text: string): DemoAction => ({ kind: "event", workspaceId, type, text });
  const session = (update: Omit<SessionUpdateInput, "sessionId">): DemoAction => ({
    kind: "session",
    update: { sessionId, workspaceId, provider: random.chance(0.5) ? "CLAUDE" : "CODEX", ...update },
  });
  let [total, additions, deletions] = [0, 0, 0];
  const edited = (hasUncommitted: boolean): DemoAction => {
    total += 1 + random.below(3);
    additions += random.below(60);
    deletions += random.below(20);
    return set({ gitStats: { total, additions, deletions, hasUncommitted } });
  };
  const works = (): DemoAction =>
    session({
      activity: "WORKING",
      runtimePhase: "running",
      processState: "alive",
      pendingRequest: null,
      errorMessage: null,
    });
  const rests = (): DemoAction =>
    session({ activity: "IDLE", runtimePhase: "idle", processState: "alive", pendingRequest: null });

  yield [
    set({ name: task.replaceAll("-", " "), status: "NEW", branchName: task }),
    says("worktree.create", `${task} begins`),
  ];
  yield [set({ status: "READY", ratchetEnabled: random.chance(0.5) })];
  yield [session({ activity: "IDLE", runtimePhase: "starting", processState: "alive", name: task })];
  yield [works()];
  for (let round = 1 + random.below(3); round > 0; round -= 1) {
    yield [edited(true)];
    if (random.chance(0.35)) {
      const toolName = random.chance(0.3) ? "AskUserQuestion" : "Bash";
      yield [
        session({
          activity: "IDLE",
          runtimePhase: "idle",
          processState: "alive",
          pendingRequest: { toolName },
        }),
      ];
      yield [works()];
    }
  }
  if (random.chance(0.15)) {
    yield [
      session({
        activity: "IDLE",
        runtimePhase: "error",
        errorMessage: "The model is overloaded (made up).",
      }),
    ];
    yield [works()];
  }
  yield [rests(), edited(false)];
  const prNumber = 100 + number;
  yield [
    set({
      prNumber,
      prUrl: `https://example.invalid/demo/pull/${prNumber}`,
      prState: "OPEN",
      prCiStatus: "PENDING",
    }),
    says("git.push", `${task} has a pull request`),
  ];
  if (random.chance(0.3)) yield [set({ runScriptStatus: "RUNNING" })];
  while (random.chance(0.35)) {
    yield [set({ prCiStatus: "FAILURE" }), says("git.commit", `checks of ${task} failed`)];
    yield [works()];
    yield [edited(false), rests(), set({ prCiStatus: "PENDING" })];
  }
  yield [set({ prCiStatus: "SUCCESS", runScriptStatus: "COMPLETED" })];
  if (random.chance(0.2)) {
    yield [set({ prState: "CHANGES_REQUESTED" })];
    yield [works()];
    yield [rests(), edited(false)];
  }
  yield [set({ prState: "APPROVED" })];
  yield [
    set({ prState: "MERGED" }),
    session({ activity: "IDLE", runtimePhase: "idle", processState: "stopped", lifecycle: "ended" }),
    says("git.merge", `${task} is merged`),
  ];
  yield [{ kind: "leave", workspaceId }];
}
