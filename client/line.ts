/**
 * The line to the server: which sockets are open, when the next one may be opened, with which token, and what people are
 * told about it. tRPC asks for an address before each socket, so that is where attempts wait: a wait of tRPC's own
 * cannot be cut short when the network comes back, and starts at zero after every accepted connection.
 */
import { Absence } from "./absence.ts";
import { type Backoff, Pacer } from "./backoff.ts";
import {
  type ClientConnection,
  type ConnectionReason,
  type ConnectionState,
  type ConnectionStatus,
  OFFLINE_AFTER_MS,
} from "./connection-state.ts";
import type { Credentials } from "./credentials.ts";
import { ClientClosedError, messageOf } from "./failure.ts";
import { Listeners } from "./listeners.ts";
import { type GuardedSocket, SOCKET_TIMES, type SocketKeeper } from "./socket.ts";
import type { Surroundings } from "./wake.ts";
import type { WebSocketClass } from "./websocket.ts";

/** A connection that lived as long was useful: the next loss starts with the shortest wait. */
const USEFUL_MS = 10_000;
/** How long a page that is looked at again waits for a sign of life. */
const WAKE_ANSWER_MS = 5_000;
/** An opening that old is not trusted when the page is looked at again. */
const WAKE_OPENING_MS = 3_000;
/** Nobody looks at a hidden page: its attempts start with a wide window. */
const HIDDEN_ATTEMPT = 5;

export interface LineOptions {
  readonly address: string;
  readonly WebSocket: WebSocketClass;
  readonly credentials: Credentials;
  readonly backoff: Backoff;
  readonly surroundings: Surroundings;
  readonly now: () => number;
  readonly warn: (message: string, cause?: unknown) => void;
}

export class Line implements ClientConnection, SocketKeeper {
  readonly WebSocket: WebSocketClass;
  readonly times = SOCKET_TIMES;
  readonly now: () => number;
  readonly #options: LineOptions;
  readonly #pacer: Pacer;
  readonly #sockets = new Set<GuardedSocket>();
  readonly #listeners: Listeners;
  readonly #renewedListeners: Listeners;
  readonly #absence = new Absence(OFFLINE_AFTER_MS, () => this.#tell());
  readonly #stopListening: () => void;
  #newest: GuardedSocket | undefined;
  #attempted = false;
  /** A token was read before: a different one is news. */
  #tokenRead = false;
  #renewed = false;
  #closed = false;
  #reason: ConnectionReason | undefined;
  #detail: string | undefined;
  #state: ConnectionState = Object.freeze({ status: "connecting", reason: undefined, detail: undefined });
  #lastProofOfLife: number | undefined;
  #nextAttemptAt: number | undefined;
  #renewing: Promise<boolean> | undefined;

  constructor(options: LineOptions) {
    this.#options = options;
    this.WebSocket = options.WebSocket;
    this.now = options.now;
    this.#pacer = new Pacer(options.backoff);
    this.#listeners = new Listeners(options.warn);
    this.#renewedListeners = new Listeners(options.warn);
    this.#absence.begin();
    const stopWake = options.surroundings.onWake(() => this.#wake());
    const stopNetwork = options.surroundings.onNetwork(() => this.#tell());
    this.#stopListening = () => {
      stopWake();
      stopNetwork();
    };
  }

  get status(): ConnectionStatus {
    return this.#state.status;
  }

  getState(): ConnectionState {
    return this.#state;
  }

  get lastProofOfLife(): number | undefined {
    return this.#lastProofOfLife;
  }

  get nextAttemptAt(): number | undefined {
    return this.#nextAttemptAt;
  }

  get visible(): boolean {
    return this.#options.surroundings.visible;
  }

  subscribe(listener: () => void): () => void {
    return this.#listeners.add(listener);
  }

  onRenewed(listener: () => void): () => void {
    return this.#renewedListeners.add(listener);
  }

  /**
   * The address of the next socket, once it may be opened and the token is at hand. tRPC asks before each socket.
   * @throws {@link ClientClosedError} after {@link close}.
   */
  async nextAddress(): Promise<string> {
    if ((this.#newest?.openMs ?? 0) >= USEFUL_MS) this.#pacer.reset();
    if (this.#attempted) await this.#wait();
    this.#attempted = true;
    while (!this.#closed && !(await this.#readToken())) await this.#wait();
    if (this.#closed) throw new ClientClosedError();
    return this.#options.address;
  }

  renew(): Promise<boolean> {
    this.#renewing ??= this.#renew().finally(() => {
      this.#renewing = undefined;
    });
    return this.#renewing;
  }

  reconnect(): void {
    if (this.#closed) return;
    this.#pacer.hurry();
    for (const socket of [...this.#sockets]) socket.abandon("a new connection was asked for");
  }

  /** No further attempt, and no end of an open socket yet: what is in flight may still be answered. */
  stopTrying(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#stopListening();
    this.#absence.end();
    this.#pacer.release();
    this.#options.credentials.release();
    for (const socket of [...this.#sockets]) if (socket.readyState === socket.CONNECTING) socket.close();
  }

  /** Ends every socket and every wait. Resolves when nothing of them is left. */
  async close(): Promise<void> {
    this.stopTrying();
    const sockets = [...this.#sockets];
    for (const socket of sockets) socket.close(1000);
    this.#lost("closed", undefined);
    this.#listeners.clear();
    this.#renewedListeners.clear();
    await Promise.all(sockets.map((socket) => socket.gone));
  }

  onCreated(socket: GuardedSocket): void {
    this.#sockets.add(socket);
    this.#newest = socket;
    void socket.gone.then(() => this.#sockets.delete(socket));
    if (this.#closed) socket.close(1000);
  }

  onOpened(_socket: GuardedSocket): void {
    this.#absence.end();
    this.#reason = undefined;
    this.#detail = undefined;
    this.#tell();
    if (!this.#renewed) return;
    this.#renewed = false;
    this.#renewedListeners.call();
  }

  onHeard(_socket: GuardedSocket): void {
    this.#lastProofOfLife = this.now();
  }

  onClosed(_socket: GuardedSocket, why: string): void {
    if (!this.#open) this.#lost("connection-lost", why);
  }

  onThrown(error: unknown): void {
    this.#options.warn("a callback of the connection threw", error);
  }

  #wait(): Promise<void> {
    if (this.#closed) return Promise.resolve();
    const delayMs = this.#pacer.nextDelay(this.visible ? 0 : HIDDEN_ATTEMPT);
    this.#nextAttemptAt = this.now() + delayMs;
    return this.#pacer.pause(delayMs).then(() => {
      this.#nextAttemptAt = undefined;
    });
  }

  /** False: it could not be read, and people know why. */
  async #readToken(): Promise<boolean> {
    try {
      const changed = await this.#options.credentials.read();
      this.#renewed ||= changed && this.#tokenRead;
      this.#tokenRead = true;
      return true;
    } catch (error) {
      this.#lost("token-failed", messageOf(error));
      return false;
    }
  }

  async #renew(): Promise<boolean> {
    try {
      if (this.#closed || !(await this.#options.credentials.read())) return false;
    } catch (error) {
      this.#options.warn("the token could not be read again", error);
      return false;
    }
    this.#tokenRead = true;
    this.#renewed = true;
    this.reconnect();
    return !this.#closed;
  }

  /** The page is looked at again, or the network is back: one quick look, then as before. */
  #wake(): void {
    let opening = false;
    for (const socket of [...this.#sockets]) {
      if (socket.readyState === socket.OPEN) socket.wake(WAKE_ANSWER_MS);
      if (socket.readyState !== socket.CONNECTING) continue;
      if (this.now() - socket.createdAt < WAKE_OPENING_MS) opening = true;
      else socket.abandon("the connection took too long to open");
    }
    if (!this.#open && !opening) this.#pacer.hurry();
  }

  get #open(): boolean {
    for (const socket of this.#sockets) if (socket.readyState === socket.OPEN) return true;
    return false;
  }

  #lost(reason: ConnectionReason, detail: string | undefined): void {
    if (!this.#closed) this.#absence.begin();
    else if (reason !== "closed") return;
    this.#reason = reason;
    this.#detail = detail;
    this.#tell();
  }

  #tell(): void {
    const status = this.#describe();
    const { status: before, reason, detail } = this.#state;
    if (status === before && reason === this.#reason && detail === this.#detail) return;
    this.#state = Object.freeze({ status, reason: this.#reason, detail: this.#detail });
    this.#listeners.call();
  }

  #describe(): ConnectionStatus {
    if (this.#closed) return "closed";
    if (this.#open) return "open";
    if (this.#absence.tooLong || !this.#options.surroundings.online) return "offline";
    return this.#reason === undefined ? "connecting" : "reconnecting";
  }
}
