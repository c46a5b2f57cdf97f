/** Where our state of this person on this machine is: a folder of our own among those of other programs. */
import { join } from "node:path";

/** Undefined: there is no home. */
export function stateFolder(env: Readonly<Record<string, string | undefined>>): string | undefined {
  const state = env.XDG_STATE_HOME || (env.HOME && join(env.HOME, ".local", "state"));
  return state ? join(state, "snapwire") : undefined;
}
