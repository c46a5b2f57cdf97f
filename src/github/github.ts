/**
 * The facts of the repositories that have a project, and the fields that follow from them. See README.md of this room.
 */
import { Collection } from "../collection/collection.ts";
import type { Folded } from "../collection/lane.ts";
import { Pruner } from "../collection/pruner.ts";
import type { Journal } from "../journal/journal.ts";
import type { Logger } from "../log.ts";
import { SnapwireError } from "../protocol/errors.ts";
import type { WorkspaceEntry } from "../protocol/workspace.ts";
import { Deliveries, type Delivery, type DeliveryOutcome } from "./deliveries.ts";
import { type CommitFacts, type Facts, foldFacts, keyOf, type PullFacts } from "./facts.ts";
import type { Observation } from "./observation.ts";
import { readPayload } from "./payloads.ts";
import { type BranchView, projectBranch, withoutPull } from "./projection.ts";

type Operation = Observation | { readonly kind: "forget" };
type ProjectedEntry = Pick<WorkspaceEntry, "workspaceId" | "projectId" | "branchName" | "ratchetEnabled"> &
  Partial<WorkspaceEntry>;

export interface GithubOptions {
  readonly journal: Journal;
  readonly now: () => number;
  readonly logger: Logger;
  /** `owner/name` in lower case to project. Asked at each use: repositories come and go. */
  readonly repositories: () => ReadonlyMap<string, string>;
  readonly entriesOf: (projectId: string) => readonly ProjectedEntry[];
  readonly report: (report: {
    readonly workspaceId: string;
    readonly patch: Readonly<Record<string, unknown>>;
    readonly source: string;
  }) => void;
}

export interface GithubDelivery {
  /** `X-GitHub-Delivery`. */
  readonly id: string;
  /** `X-GitHub-Event`. */
  readonly event: string;
  readonly payload: unknown;
}

const SOURCE = "github";
/** Facts kept per repository; the ones that changed longest ago go first. */
const MAX_FACTS = 5_000;
const WITHIN = "#";

export class Github {
  readonly #options: GithubOptions;
  readonly #collection: Collection<Operation, Facts, Facts, boolean>;
  readonly #pruner: Pruner;
  readonly #deliveries = new Deliveries();
  /** Of each repository: the keys of its pull requests, by the branch that is their head. */
  readonly #pullsOf = new Map<string, Map<string, Set<string>>>();
  /** What was looked at in a workspace when it was last projected. */
  readonly #looked = new Map<string, string>();
  /** What its fields were last computed from. */
  readonly #shown = new Map<string, { readonly branch: string; readonly ratchet: boolean }>();
  readonly #due = new Set<string>();
  #scheduled: NodeJS.Immediate | undefined;
  #open = false;

  constructor(options: GithubOptions) {
    this.#options = options;
    const { journal, now, logger } = options;
    this.#collection = new Collection<Operation, Facts, Facts, boolean>({
      name: "github",
      journal,
      revision: "github-1",
      now,
      logger,
      tombstonesForMs: 0, // nobody resumes here
      model: {
        fold: (key, base, operations) =>
          foldOperations(key, base?.scope ? base.state : undefined, operations),
        entryOf: (_key, state) => state,
      },
      tell: ({ key, shown, gone }) => {
        const repository = repositoryOf(key);
        if (shown?.entry.kind === "pull") this.#indexPull(repository, key, shown.entry);
        if (gone.length > 0) {
          this.#unindexPull(repository, key);
          this.#pruner.touch();
        }
        this.#trim(repository);
        this.#schedule(repository);
      },
      tellReset: () => this.#rebuild(),
      tellStatus: () => undefined,
    });
    this.#pruner = new Pruner({
      count: () => {
        let sum = 0;
        for (const view of this.#collection.views()) sum += view.tombstoneCount;
        return sum;
      },
      prune: () => this.#collection.prune(),
      onError: (error) => logger.error({ error }, "facts of repositories were not pruned"),
    });
  }

  async open(): Promise<void> {
    await this.#collection.open();
    this.#open = true;
    for (const repository of this.#options.repositories().keys()) this.#schedule(repository);
  }

  async close(): Promise<void> {
    this.#open = false;
    clearImmediate(this.#scheduled);
    this.#pruner.stop();
    await this.#collection.close();
  }

  /** Newest first: what the last deliveries did. */
  get deliveries(): readonly Delivery[] {
    return this.#deliveries.last;
  }

  get counts(): Readonly<Record<DeliveryOutcome, number>> {
    return this.#deliveries.counts;
  }

  get factCount(): number {
    let sum = 0;
    for (const view of this.#collection.views()) sum += view.entryCount;
    return sum;
  }

  /**
   * Takes a delivery whose signature was checked. Resolves when what it said is stored.
   * @throws SnapwireError `unavailable` or `outcome-unknown` when the journal cannot take it: it may come again.
   */
  async deliver({ id, event, payload }: GithubDelivery): Promise<DeliveryOutcome> {
    const done = (outcome: DeliveryOutcome, repository: string | null = null): DeliveryOutcome => {
      const at = new Date(this.#options.now()).toISOString();
      this.#deliveries.add({ id, event, repository, outcome, at });
      return outcome;
    };
    if (this.#deliveries.isKnown(id)) return done("duplicate");
    let said: ReturnType<typeof readPayload>;
    try {
      said = readPayload(event, payload);
    } catch (error) {
      if (!(error instanceof SnapwireError)) throw error;
      this.#options.logger.warn({ id, event, reason: error.message }, "a delivery could not be read");
      return done("invalid");
    }
    if (!said) return done("ignored");
    const { repository, observations } = said;
    if (!this.#options.repositories().has(repository)) return done("unknown-repository", repository);
    try {
      const changed = await this.observe(repository, observations);
      return done(changed ? "changed" : "unchanged", repository);
    } catch (error) {
      done("not-stored", repository);
      throw error;
    }
  }

  /** @returns whether something of it was new. */
  async observe(repository: string, observations: readonly Observation[]): Promise<boolean> {
    if (!this.#open) throw new SnapwireError("unavailable", "The service is not running.");
    const written = await Promise.all(
      observations.map((observation) =>
        this.#collection.write(`${repository}${WITHIN}${keyOf(observation)}`, observation),
      ),
    );
    return written.some(({ outcome }) => outcome);
  }

  /** Says that workspaces came, or changed where they stand: their fields may have to follow. */
  look(entry: ProjectedEntry): void {
    const { workspaceId, projectId, branchName, ratchetEnabled } = entry;
    const looked = JSON.stringify([projectId, branchName, ratchetEnabled]);
    if (this.#looked.get(workspaceId) === looked) return;
    this.#looked.set(workspaceId, looked);
    for (const [repository, project] of this.#options.repositories())
      if (project === projectId) this.#schedule(repository);
  }

  forget(workspaceId: string): void {
    this.#looked.delete(workspaceId);
    this.#shown.delete(workspaceId);
  }

  /** Which branches somebody works on, by repository: what a poll has to ask for. */
  branches(): ReadonlyMap<string, readonly string[]> {
    const branches = new Map<string, readonly string[]>();
    for (const [repository, projectId] of this.#options.repositories()) {
      const names = this.#options.entriesOf(projectId).flatMap(({ branchName }) => branchName ?? []);
      branches.set(repository, [...new Set(names)]);
    }
    return branches;
  }

  #rebuild(): void {
    this.#pullsOf.clear();
    for (const [key, { scope, state }] of this.#collection.records())
      if (scope !== null && state.kind === "pull") this.#indexPull(scope, key, state);
    for (const view of this.#collection.views()) this.#schedule(view.scope);
  }

  /** A head that moved to another branch leaves its key behind: it is looked at there, and found to be elsewhere. */
  #indexPull(repository: string, key: string, { pull }: PullFacts): void {
    if (!pull) return;
    const branches = this.#pullsOf.get(repository) ?? new Map<string, Set<string>>();
    this.#pullsOf.set(repository, branches);
    const keys = branches.get(pull.headRef) ?? new Set<string>();
    branches.set(pull.headRef, keys.add(key));
  }

  #unindexPull(repository: string, key: string): void {
    const branches = this.#pullsOf.get(repository);
    if (!branches || !key.startsWith(`${repository}${WITHIN}pull/`)) return;
    for (const [branch, keys] of branches) if (keys.delete(key) && keys.size === 0) branches.delete(branch);
  }

  #trim(repository: string): void {
    const view = this.#collection.view(repository);
    if (!view || view.entryCount <= MAX_FACTS * 1.1) return;
    let surplus = view.entryCount - MAX_FACTS;
    for (let node = view.after(-1); node && surplus > 0; node = view.after(node.sequence, node)) {
      if (node.entry === null) continue;
      surplus -= 1;
      const { key } = node;
      this.#collection
        .write(key, { kind: "forget" })
        .catch((error: unknown) => this.#options.logger.warn({ key, error }, "a fact was not forgotten"));
    }
  }

  #schedule(repository: string): void {
    this.#due.add(repository);
    this.#scheduled ??= setImmediate(() => {
      this.#scheduled = undefined;
      const due = [...this.#due];
      this.#due.clear();
      if (this.#open) for (const one of due) this.#project(one);
    });
  }

  #project(repository: string): void {
    const repositories = this.#options.repositories();
    const projectId = repositories.get(repository);
    if (projectId === undefined) return;
    const names = [...repositories].flatMap(([name, project]) => (project === projectId ? [name] : []));
    for (const entry of this.#options.entriesOf(projectId)) {
      const { workspaceId, branchName: branch, ratchetEnabled: ratchet } = entry;
      if (branch === null) continue;
      const views = names.map((name) => this.#viewOf(name, branch));
      const said = projectBranch(views, ratchet);
      const shown = this.#shown.get(workspaceId);
      const hasLeft = shown ? shown.branch !== branch : this.#isElsewhere(names, entry, branch);
      if (!said && !hasLeft) continue;
      const fields = { ...(said ?? withoutPull("UNKNOWN", ratchet)) };
      if (shown?.ratchet && !ratchet) fields.ratchetState = "IDLE";
      this.#shown.set(workspaceId, { branch, ratchet });
      const news = Object.entries(fields).filter(
        ([name, value]) => entry[name as keyof ProjectedEntry] !== value,
      );
      if (news.length > 0)
        this.#options.report({ workspaceId, patch: Object.fromEntries(news), source: SOURCE });
    }
  }

  /** What the entry shows is a pull request of another branch: from before a restart. */
  #isElsewhere(
    repositories: readonly string[],
    { prNumber, prUrl }: ProjectedEntry,
    branch: string,
  ): boolean {
    return repositories.some((repository) => {
      const facts = this.#collection.view(repository)?.node(`${repository}${WITHIN}pull/${prNumber}`)?.entry;
      return facts?.kind === "pull" && facts.pull?.url === prUrl && facts.pull?.headRef !== branch;
    });
  }

  #viewOf(repository: string, branch: string): BranchView {
    const view = this.#collection.view(repository);
    const factsAt = (key: string): Facts | undefined =>
      view?.node(`${repository}${WITHIN}${key}`)?.entry ?? undefined;
    const pulls: PullFacts[] = [];
    for (const key of this.#pullsOf.get(repository)?.get(branch) ?? []) {
      const facts = view?.node(key)?.entry;
      if (facts?.kind === "pull" && facts.pull?.headRef === branch) pulls.push(facts);
    }
    const push = factsAt(`branch/${branch}`);
    return {
      repository,
      branch,
      pulls,
      push: push?.kind === "branch" ? push : undefined,
      commit: (sha): CommitFacts | undefined => {
        const facts = factsAt(`commit/${sha}`);
        return facts?.kind === "commit" ? facts : undefined;
      },
    };
  }
}

function repositoryOf(key: string): string {
  return key.slice(0, key.indexOf(WITHIN));
}

function foldOperations(key: string, state: Facts | undefined, operations: readonly Operation[]) {
  let next = state;
  const outcomes: Folded<boolean>["outcomes"][number][] = [];
  for (const operation of operations) {
    const folded = operation.kind === "forget" ? undefined : foldFacts(next, operation);
    outcomes.push({ value: folded !== next });
    next = folded;
  }
  if (next === undefined) {
    const gone = state && { scope: null, hidden: false, state };
    return { next: gone, changed: state !== undefined, outcomes };
  }
  return {
    next: { scope: repositoryOf(key), hidden: false, state: next },
    changed: next !== state,
    outcomes,
  };
}
