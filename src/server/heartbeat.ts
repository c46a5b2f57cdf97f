/**
 * Finds the sockets whose peer is gone without a word. One timer pings all of them; a second one, only while answers are
 * due, ends those that showed no sign of life since. Without sockets there is no timer at all.
 *
 * A sign of life is any byte that came in. A peer that is merely slow cannot answer, since the ping waits behind its
 * data: while bytes wait for it, taking some of them is a sign of life too, and only one that takes none for `stalledMs`
 * is ended. Bytes handed to an empty kernel buffer prove nothing and do not count.
 */
export interface Beating {
  ping(): void;
  terminate(): void;
  /** Bytes that came in, ever. */
  received(): number;
  /** Bytes that wait for the peer in this process. */
  waiting(): number;
  /** Changes whenever some of the waiting bytes leave this process. */
  flow(): number;
}

interface HeartbeatTimers {
  setTimeout(run: () => void, ms: number): HeartbeatTimer;
  clearTimeout(timer: HeartbeatTimer): void;
}

interface HeartbeatTimer {
  unref?(): unknown;
}

interface HeartbeatOptions {
  readonly pingEveryMs: number;
  readonly pongWithinMs: number;
  readonly stalledMs: number;
  /** Pings in a row without a sign of life until it is ended. @defaultValue 1 */
  readonly misses?: number;
  readonly timers?: HeartbeatTimers;
}

export interface Heartbeat extends Disposable {
  /** Returns what takes it out again. */
  add(one: Beating): () => void;
  readonly size: number;
}

interface Pulse {
  received: number;
  wasWaiting: boolean;
  flow: number;
  pinged: boolean;
  missed: number;
  silentMs: number;
}

const NODE_TIMERS: HeartbeatTimers = {
  setTimeout: (run, ms) => setTimeout(run, ms),
  clearTimeout: (timer) => clearTimeout(timer as NodeJS.Timeout),
};

export function createHeartbeat(options: HeartbeatOptions): Heartbeat {
  const { pingEveryMs, pongWithinMs, stalledMs, misses = 1, timers = NODE_TIMERS } = options;
  const pulses = new Map<Beating, Pulse>();
  let sweepTimer: HeartbeatTimer | undefined;
  let verdictTimer: HeartbeatTimer | undefined;

  const start = (run: () => void, ms: number): HeartbeatTimer => {
    const timer = timers.setTimeout(run, ms);
    timer.unref?.();
    return timer;
  };
  const stop = (): void => {
    if (sweepTimer) timers.clearTimeout(sweepTimer);
    if (verdictTimer) timers.clearTimeout(verdictTimer);
    sweepTimer = undefined;
    verdictTimer = undefined;
  };

  const sweep = (): void => {
    sweepTimer = start(sweep, pingEveryMs);
    for (const [one, pulse] of pulses) {
      one.ping();
      pulse.pinged = true;
      pulse.received = one.received();
      pulse.wasWaiting = one.waiting() > 0;
      pulse.flow = one.flow();
    }
    verdictTimer = start(verdict, pongWithinMs);
  };

  const verdict = (): void => {
    verdictTimer = undefined;
    for (const [one, pulse] of pulses) {
      if (!pulse.pinged) continue; // came after the ping
      pulse.pinged = false;
      const tookSome = pulse.wasWaiting && one.flow() !== pulse.flow;
      if (one.received() !== pulse.received || tookSome) {
        pulse.missed = 0;
        pulse.silentMs = 0;
        continue;
      }
      pulse.missed += 1;
      pulse.silentMs += pingEveryMs;
      const isSilent = one.waiting() === 0 && pulse.missed >= misses;
      if (isSilent || pulse.silentMs >= stalledMs) one.terminate();
    }
  };

  return {
    add(one) {
      pulses.set(one, { received: 0, wasWaiting: false, flow: 0, pinged: false, missed: 0, silentMs: 0 });
      sweepTimer ??= start(sweep, pingEveryMs);
      return () => {
        if (pulses.delete(one) && pulses.size === 0) stop();
      };
    },
    get size() {
      return pulses.size;
    },
    [Symbol.dispose]() {
      pulses.clear();
      stop();
    },
  };
}
