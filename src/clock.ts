/**
 * Time, injected. `wall` is for people and for the resume window; `stamp` orders observations inside this process and
 * never goes back or repeats, whatever the system clock does.
 */
export interface Clock {
  /** Milliseconds since 1970, as the system says. */
  wall(): number;
  /** Milliseconds since 1970, strictly greater than every stamp before; a microsecond apart when the clock stands still. */
  stamp(): number;
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
  };
}
