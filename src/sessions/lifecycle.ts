/** How far a session has come. It goes forward, by any number of steps; `failed` is reached from anywhere and is final. */
import { SnapwireError } from "../protocol/errors.ts";
import {
  SESSION_LIFECYCLES,
  type SessionLifecycle,
  type SessionLifecycleInput,
} from "../protocol/sessions.ts";

export function lifecycleOf(input: SessionLifecycleInput): SessionLifecycle {
  return input === "capturing" ? "detected" : input;
}

/** Staying where it is counts as forward: it changes nothing. */
export function isForward(from: SessionLifecycle, to: SessionLifecycle): boolean {
  return SESSION_LIFECYCLES.indexOf(to) >= SESSION_LIFECYCLES.indexOf(from);
}

export function backwardLifecycle(
  sessionId: string,
  from: SessionLifecycle,
  to: SessionLifecycle,
): SnapwireError {
  const steps = SESSION_LIFECYCLES.filter((step) => step !== "failed").join(" -> ");
  const legal = SESSION_LIFECYCLES.filter((step) => step !== from && isForward(from, step));
  const next = legal.length > 0 ? `From ${from}: ${legal.join(", ")}.` : `${from} is final.`;
  return new SnapwireError(
    "backward-lifecycle",
    `Session ${sessionId} is ${from} and does not go back to ${to}. ${next} ` +
      `The order is ${steps}; failed is reached from anywhere.`,
  );
}
