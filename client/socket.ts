/**
 * The socket that tRPC is given in place of the runtime's own. It keeps three promises that a raw one does not:
 *
 * - **One end.** Whoever closes it hears `close` at once and nothing after, whatever the network still delivers. A
 *   half-open socket otherwise holds its `close` back for up to 30 s, and versions of tRPC before 11.25 take the late
 *   `close` of an old socket for the loss of the new one.
 * - **Signs of life.** After a quiet while it sends `PING`; any message in time is an answer (tRPC's own keep-alive takes
 *   only `PONG`, which waits behind data). In a hidden page no timer runs.
 * - **A bound on opening.** A socket that does not open in time fails.
 */
import type { RawSocket, RawSocketEvent, WebSocketClass } from "./websocket.ts";

export interface SocketTimes {
  /** Quiet time after which a sign of life is asked for, in milliseconds. */
  readonly quietMs: number;
  /** How long the answer may take, in milliseconds. */
  readonly answerMs: number;
  /** How long opening may take, in milliseconds. */
  readonly openMs: number;
  /** How long the closing handshake may take, in milliseconds. */
  readonly closeMs: number;
}

export const SOCKET_TIMES: SocketTimes = {
  quietMs: 20_000,
  answerMs: 10_000,
  openMs: 15_000,
  closeMs: 1_000,
};

/** Who looks after the sockets of one client. */
export interface SocketKeeper {
  readonly WebSocket: WebSocketClass;
  readonly times: SocketTimes;
  readonly visible: boolean;
  now(): number;
  onCreated(socket: GuardedSocket): void;
  onOpened(socket: GuardedSocket): void;
  onHeard(socket: GuardedSocket): void;
  onClosed(socket: GuardedSocket, why: string): void;
  /** A listener threw: it harms no other. */
  onThrown(error: unknown): void;
}

type EventType = "open" | "message" | "error" | "close";
interface SocketEvent {
  readonly type: EventType;
  readonly data?: unknown;
  readonly code?: number;
  readonly reason?: string;
  readonly message?: string;
}
type Listener = (this: GuardedSocket, event: SocketEvent) => void;
type Timer = ReturnType<typeof setTimeout>;

export class GuardedSocket {
  static readonly CONNECTING = 0;
  static readonly OPEN = 1;
  static readonly CLOSING = 2;
  static readonly CLOSED = 3;
  readonly CONNECTING = 0;
  readonly OPEN = 1;
  readonly CLOSING = 2;
  readonly CLOSED = 3;

  /** Resolves when the socket underneath is closed and no timer of it runs. */
  readonly gone: Promise<void>;
  readonly createdAt: number;
  readonly #keeper: SocketKeeper;
  readonly #raw: RawSocket;
  readonly #listeners = new Map<string, Set<Listener>>();
  readonly #goneNow: () => void;
  #state: 0 | 1 | 2 | 3 = 0;
  #openedAt: number | undefined;
  #endedAt: number | undefined;
  #heardAt = 0;
  /** The next look at the silence; while opening, the deadline of it; while closing, that of the handshake. */
  #timer: Timer | undefined;
  /** Runs while an answer is awaited. */
  #answerTimer: Timer | undefined;

  constructor(url: string, keeper: SocketKeeper) {
    this.#keeper = keeper;
    this.createdAt = keeper.now();
    const { promise, resolve } = resolvable();
    this.gone = promise;
    this.#goneNow = resolve;
    this.#raw = this.#make(url);
    this.#raw.addEventListener("open", () => this.#onOpen());
    this.#raw.addEventListener("message", (event) => this.#onMessage(event.data));
    this.#raw.addEventListener("error", (event) => this.#onError(event));
    this.#raw.addEventListener("close", (event) => this.#onClose(event));
    this.#timer = setTimeout(() => this.abandon("the connection did not open in time"), keeper.times.openMs);
    keeper.onCreated(this);
  }

  get readyState(): number {
    return this.#state;
  }

  get binaryType(): string {
    return this.#raw.binaryType;
  }

  set binaryType(type: string) {
    this.#raw.binaryType = type;
  }

  /** How long it has been, or was, open, in milliseconds; 0 when it never opened. */
  get openMs(): number {
    return this.#openedAt === undefined ? 0 : (this.#endedAt ?? this.#keeper.now()) - this.#openedAt;
  }

  addEventListener(type: string, listener: Listener): void {
    const listeners = this.#listeners.get(type);
    if (listeners) listeners.add(listener);
    else this.#listeners.set(type, new Set([listener]));
  }

  removeEventListener(type: string, listener: Listener): void {
    this.#listeners.get(type)?.delete(listener);
  }

  /** Like a browser's: silent when the socket is no longer open. */
  send(data: string): void {
    if (this.#state !== GuardedSocket.OPEN) return;
    try {
      this.#raw.send(data);
    } catch (error) {
      this.abandon(`sending failed: ${error instanceof Error ? error.message : "no message"}`);
    }
  }

  /** Closes with the handshake. Listeners hear `close` before the current task is over, and nothing afterwards. */
  close(code?: number, reason?: string): void {
    if (this.#state >= GuardedSocket.CLOSING) return;
    const opening = this.#state === GuardedSocket.CONNECTING;
    this.#leave();
    this.#timer = setTimeout(() => this.#terminate(), this.#keeper.times.closeMs);
    try {
      this.#raw.close(code, reason);
    } catch {
      this.#terminate();
    }
    // Not in this turn: tRPC closes in the middle of its own bookkeeping.
    queueMicrotask(() => this.#end({ type: "close", code: code ?? 1000, reason: reason ?? "" }, opening));
  }

  /** Gives the socket up without waiting for the other side: it may be gone. */
  abandon(why: string): void {
    if (this.#state >= GuardedSocket.CLOSING) return;
    const opening = this.#state === GuardedSocket.CONNECTING;
    this.#leave();
    this.#end({ type: "close", code: 1006, reason: why }, opening);
    this.#terminate();
  }

  /** Asks for a sign of life; without one in time the socket is given up. */
  probe(answerMs = this.#keeper.times.answerMs): void {
    if (this.#state !== GuardedSocket.OPEN || this.#answerTimer !== undefined) return;
    this.#answerTimer = setTimeout(() => {
      this.#answerTimer = undefined;
      // A page that sleeps hears nothing and proves nothing: `wake` asks again.
      if (this.#keeper.visible) this.abandon("no sign of life from the server");
    }, answerMs);
    this.send("PING");
  }

  /** The page is looked at again: whatever was known is old. */
  wake(answerMs: number): void {
    if (this.#state !== GuardedSocket.OPEN) return;
    this.probe(answerMs);
    this.#watchSilence();
  }

  /** A page may forbid the address: that is a loss like any other, and people are told. */
  #make(url: string): RawSocket {
    try {
      return new this.#keeper.WebSocket(url);
    } catch (error) {
      this.#keeper.onClosed(this, error instanceof Error ? error.message : "the socket could not be made");
      throw error;
    }
  }

  #onOpen(): void {
    if (this.#state !== GuardedSocket.CONNECTING) return;
    this.#state = GuardedSocket.OPEN;
    this.#openedAt = this.#keeper.now();
    this.#heardAt = this.#openedAt;
    this.#watchSilence();
    this.#keeper.onOpened(this);
    this.#dispatch({ type: "open" });
  }

  #onMessage(data: unknown): void {
    if (this.#state !== GuardedSocket.OPEN) return;
    this.#heardAt = this.#keeper.now();
    if (this.#answerTimer !== undefined) {
      clearTimeout(this.#answerTimer);
      this.#answerTimer = undefined;
    }
    this.#keeper.onHeard(this);
    this.#dispatch({ type: "message", data });
  }

  #onError(event: RawSocketEvent): void {
    if (this.#state >= GuardedSocket.CLOSING) return;
    // A `close` always follows; without it the attempt would hang, so that is not left to chance.
    this.abandon(
      typeof event.message === "string" && event.message !== "" ? event.message : "the connection failed",
    );
  }

  #onClose({ code, reason }: RawSocketEvent): void {
    this.#settle();
    if (this.#state >= GuardedSocket.CLOSING) return; // whoever closed it has told, or is about to
    const opening = this.#state === GuardedSocket.CONNECTING;
    this.#leave();
    const known = {
      code: typeof code === "number" ? code : 1006,
      reason: typeof reason === "string" ? reason : "",
    };
    this.#end({ type: "close", ...known }, opening);
  }

  /** One look per quiet time, not one timer per message. */
  #watchSilence(): void {
    const { times, visible } = this.#keeper;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (!visible) return; // `wake` comes back to it
    const restMs = this.#heardAt + times.quietMs - this.#keeper.now();
    this.#timer = setTimeout(
      () => {
        if (this.#keeper.visible && this.#keeper.now() - this.#heardAt >= times.quietMs) this.probe();
        this.#watchSilence();
      },
      restMs > 0 ? restMs : times.quietMs,
    );
  }

  #leave(): void {
    this.#state = GuardedSocket.CLOSING;
    this.#endedAt = this.#keeper.now();
    clearTimeout(this.#timer);
    clearTimeout(this.#answerTimer);
    this.#timer = undefined;
    this.#answerTimer = undefined;
  }

  #terminate(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    try {
      if (this.#raw.terminate) {
        this.#raw.terminate(); // its `close` follows at once
        return;
      }
      this.#raw.close(); // a browser finishes the handshake alone, in its own time
    } catch {
      // it was never open, or is gone already
    }
    this.#settle();
  }

  #settle(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#goneNow();
  }

  /** The last event; whoever left `OPEN` or `CONNECTING` tells it, so it is told once. A socket that never opened fails first. */
  #end(event: SocketEvent, opening: boolean): void {
    this.#state = GuardedSocket.CLOSED;
    this.#keeper.onClosed(this, wordsFor(event));
    if (opening) this.#dispatch({ type: "error", message: event.reason || "the connection failed" });
    this.#dispatch(event);
    this.#listeners.clear();
  }

  #dispatch(event: SocketEvent): void {
    for (const listener of [...(this.#listeners.get(event.type) ?? [])]) {
      try {
        listener.call(this, event);
      } catch (error) {
        this.#keeper.onThrown(error);
      }
    }
  }
}

function wordsFor({ code, reason }: SocketEvent): string {
  return reason ? `${reason} (${code})` : `closed with code ${code}`;
}

function resolvable(): { promise: Promise<void>; resolve: () => void } {
  let resolve = (): void => {};
  const promise = new Promise<void>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}
