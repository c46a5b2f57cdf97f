/** What an application is told about its line to the server, whoever made the client. */
import type { ClientConnection, ConnectionStatus } from "./connection-state.ts";
import { Listeners } from "./listeners.ts";
import type { ProjectReplica } from "./replica.ts";
import type { ReplicaEntry } from "./replica-state.ts";
import type { ReplicaStatus } from "./status.ts";

export interface LiveStatus {
  readonly status: ConnectionStatus;
  /** A stable code: of the connection, or of the project that the status was read from. */
  readonly reason: string | undefined;
  /** For a person; never a secret. */
  readonly detail: string | undefined;
}

type Watched = Pick<ProjectReplica<ReplicaEntry>, "status" | "reason" | "detail">;

/** What a project says about the line below it. An answer is an answer, also when it is a refusal. */
const LINE_OF: Record<ReplicaStatus, ConnectionStatus> = {
  connecting: "connecting",
  "catching-up": "open",
  live: "open",
  stale: "open",
  denied: "open",
  reconnecting: "reconnecting",
  offline: "offline",
  ended: "open",
};

/** The best news first: one project that is heard proves the line. */
const ORDER: readonly ConnectionStatus[] = ["open", "connecting", "reconnecting", "offline", "closed"];

/** A client of Snapwire's own knows its connection. Of any other one only the subscriptions are seen. */
export class LiveStanding {
  readonly #connection: ClientConnection | undefined;
  readonly #projects: () => Iterable<Watched>;
  readonly #listeners: Listeners;
  #status: LiveStatus;

  constructor(
    connection: ClientConnection | undefined,
    projects: () => Iterable<Watched>,
    warn: (message: string, cause?: unknown) => void,
  ) {
    this.#connection = connection;
    this.#projects = projects;
    this.#listeners = new Listeners(warn);
    this.#status = Object.freeze({ status: "connecting", reason: undefined, detail: undefined });
  }

  get status(): LiveStatus {
    return this.#connection ? this.#connection.getState() : this.#status;
  }

  subscribe(listener: () => void): () => void {
    return this.#connection ? this.#connection.subscribe(listener) : this.#listeners.add(listener);
  }

  /** A project changed. */
  look(): void {
    if (this.#connection) return;
    const now = this.#read();
    const { status, reason, detail } = this.#status;
    if (now.status === status && now.reason === reason && now.detail === detail) return;
    this.#status = Object.freeze(now);
    this.#listeners.call();
  }

  #read(): LiveStatus {
    let best: LiveStatus | undefined;
    for (const { status, reason, detail } of this.#projects()) {
      const line = reason === "client-closed" ? "closed" : LINE_OF[status];
      if (best && ORDER.indexOf(best.status) <= ORDER.indexOf(line)) continue;
      best = line === "open" ? said(line) : { status: line, reason, detail };
    }
    return best ?? said("connecting");
  }
}

function said(status: ConnectionStatus): LiveStatus {
  return { status, reason: undefined, detail: undefined };
}
