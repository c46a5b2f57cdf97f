/**
 * Time, injected. `wall` is for people and for the resume window; `stamp` orders observations inside this process and
 * never goes back or repeats, whatever the system clock does.
 */
export interface Clock {
  /** Milliseconds since 1970, as the system says. */
  wall(): number;
  /** Milliseconds since 1970, strictly greater than every stamp before; a microsecond apart when the clock stands still. */
  stamp(): number;
  /** Lets the next stamp be later than this one: it was given by a process before this one, or by another node. */
  atLeast(stamp: number): void;
}

const STEP_MS = 0.001;

export function createClock(now: () => number = Date.now): Clock {
  let last = 0;
  return {
    wall: now,
    stamp: () => {
      const reading = now();
      last = reading > last ? reading : Math.round((last + STEP_MS) * 1000) / 1000;
      return last;
    },
    atLeast: (stamp) => {
      last = Math.max(last, stamp);
    },
  };
}
