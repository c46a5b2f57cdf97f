/** From the reports of hooks to updates of sessions. */
import { realpath } from "node:fs/promises";
import { isAbsolute } from "node:path";
import type { Logger } from "../log.ts";
import { SnapwireError } from "../protocol/errors.ts";
import type { SessionEntry } from "../protocol/sessions.ts";
import type { SessionUpdateInput } from "../sessions/update.ts";
import { PROVIDER_OF } from "./hook-table.ts";
import { type HookReport, readHook } from "./read-hook.ts";

export type HookOutcome =
  | "taken"
  /** Nothing follows from it: an event that means nothing here, or news that is older than what is known. */
  | "ignored"
  /** Its directory is in no workspace that is known here. */
  | "unknown-workspace"
  /** The caller may not write to that workspace. */
  | "forbidden";

export interface HookIntakeOptions {
  readonly sessions: {
    update(input: SessionUpdateInput): Promise<{ readonly accepted: boolean }>;
    get(sessionId: string): SessionEntry | undefined;
    ofWorkspace(workspaceId: string): readonly SessionEntry[];
  };
  /** The workspace in whose folder a path is, links resolved. */
  readonly workspaceAt: (path: string) => string | undefined;
  readonly logger: Logger;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

export class HookIntake {
  readonly #options: HookIntakeOptions;
  readonly counts: Record<HookOutcome, number> = {
    taken: 0,
    ignored: 0,
    "unknown-workspace": 0,
    forbidden: 0,
  };

  constructor(options: HookIntakeOptions) {
    this.#options = options;
  }

  /**
   * @param input - The JSON of a hook, of any agent in the table.
   * @param allowed - Whether the caller may write to a workspace.
   * @throws SnapwireError when it cannot be stored.
   */
  async take(input: unknown, allowed: (workspaceId: string) => boolean = () => true): Promise<HookOutcome> {
    const outcome = await this.#take(input, allowed);
    this.counts[outcome] += 1;
    return outcome;
  }

  async #take(input: unknown, allowed: (workspaceId: string) => boolean): Promise<HookOutcome> {
    const report = readHook(input);
    if (!report) return "ignored";
    const sessionId = idOf(report);
    const workspaceId = await this.#workspaceOf(report, sessionId);
    if (workspaceId === undefined) return "unknown-workspace";
    const known = this.#options.sessions.get(sessionId);
    // Where it is, and where this puts it.
    if (!allowed(workspaceId) || (known && !allowed(known.workspaceId))) return "forbidden";
    const observedAt = report.observedAt ?? this.#options.now();
    // A notice repeats what the question itself has said better, and says "idle" of one that waits for an answer.
    const isNotice = report.meaning === "asks" || report.meaning === "rests";
    if (isNotice && isHint(input) && known?.pendingRequest) return "ignored";

    const accepted = await this.#update({
      sessionId,
      workspaceId,
      observedAt,
      provider: PROVIDER_OF[report.agent],
      ...(report.model === undefined ? {} : { model: report.model }),
      ...(report.subAgent ? { name: report.subAgent.name, workflow: "sub-agent" } : {}),
      ...factsOf(report, observedAt),
    });
    if (report.meaning === "ends" && !report.subAgent)
      await this.#endSubAgents(report, workspaceId, observedAt);
    return accepted ? "taken" : "ignored";
  }

  async #workspaceOf({ workspaceId, cwd }: HookReport, sessionId: string): Promise<string | undefined> {
    if (workspaceId !== undefined) return workspaceId;
    const { workspaceAt, sessions } = this.#options;
    if (cwd !== undefined && isAbsolute(cwd)) {
      const path = await realpath(cwd).catch(() => cwd);
      const found = workspaceAt(path);
      if (found !== undefined) return found;
    }
    return sessions.get(sessionId)?.workspaceId; // it may have walked out of its folder
  }

  async #endSubAgents(report: HookReport, workspaceId: string, observedAt: number): Promise<void> {
    const below = `${report.sessionId}${BELOW}`;
    for (const { sessionId, live } of this.#options.sessions.ofWorkspace(workspaceId)) {
      if (sessionId.startsWith(below) && live)
        await this.#update({ sessionId, observedAt, ...factsOf(report, observedAt) });
    }
  }

  async #update(update: SessionUpdateInput): Promise<boolean> {
    const { sessions, logger } = this.#options;
    try {
      return (await sessions.update(update)).accepted;
    } catch (error) {
      if (!(error instanceof SnapwireError)) throw error;
      if (error.reason === "invalid-input") {
        logger.warn({ reason: error.message }, "the input of a hook was refused");
        return false;
      }
      if (error.reason !== "backward-lifecycle") throw error;
      // It was resumed after its transcript had been dealt with, and has ended again.
      const { lifecycle: _, ...rest } = update;
      return (await sessions.update(rest)).accepted;
    }
  }
}

const BELOW = "/";

function idOf({ sessionId, subAgent }: HookReport): string {
  return subAgent ? `${sessionId}${BELOW}${subAgent.id}` : sessionId;
}

function isHint(input: unknown): boolean {
  return (
    typeof input === "object" && input !== null && Reflect.get(input, "hook_event_name") === "Notification"
  );
}

type Facts = Omit<SessionUpdateInput, "sessionId">;

const RESTING = {
  activity: "IDLE",
  runtimePhase: "idle",
  processState: "alive",
  pendingRequest: null,
  errorMessage: null,
} satisfies Facts;

const WORKING = { ...RESTING, activity: "WORKING", runtimePhase: "running" } satisfies Facts;

function factsOf({ meaning, request, errorMessage }: HookReport, at: number): Facts {
  switch (meaning) {
    case "begins":
      return { ...RESTING, lastExit: null };
    case "works":
    case "sub-begins":
      return WORKING;
    case "asks":
      return { ...RESTING, pendingRequest: request ?? null };
    case "rests":
      return RESTING;
    case "fails":
      return {
        ...RESTING,
        runtimePhase: "error",
        errorMessage: errorMessage ?? "The agent broke off.",
      };
    case "ends":
    case "sub-ends":
      return {
        ...RESTING,
        processState: "stopped",
        lifecycle: "ended",
        lastExit: { code: null, timestamp: new Date(at).toISOString(), unexpected: false },
      };
    case "uses-tool":
    case "notifies":
      return {}; // read-hook.ts says what they mean
  }
}
