/**
 * What every git of ours is started with, so that a read changes nothing, asks nobody, reaches no network and runs no
 * program that a repository names.
 */

/**
 * `--no-optional-locks`: a read never writes the index, which would also wake our own watch of it.
 * `core.fsmonitor`, `core.hooksPath`: programs that a repository's own configuration could name.
 */
export const GIT_SWITCHES: readonly string[] = [
  "--no-optional-locks",
  "--no-pager",
  "-c",
  "core.fsmonitor=false",
  "-c",
  "core.hooksPath=/dev/null",
];

/** Where the person's own settings are is theirs to say; every other inherited GIT_* would bend what we read. */
const KEPT: ReadonlySet<string> = new Set([
  "GIT_EXEC_PATH",
  "GIT_CONFIG_GLOBAL",
  "GIT_CONFIG_SYSTEM",
  "GIT_CONFIG_NOSYSTEM",
]);

/** Configuration for one command: names may hold any character, which `-c name=value` would not survive. */
export type GitSettings = readonly (readonly [name: string, value: string])[];

/** What is inherited, without what would bend a read, and with what keeps it quiet. */
export function gitEnvironment(inherited: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const environment: NodeJS.ProcessEnv = {};
  for (const [name, value] of Object.entries(inherited)) {
    if (!name.startsWith("GIT_") || KEPT.has(name)) environment[name] = value;
  }
  return {
    ...environment,
    LC_ALL: "C",
    LANGUAGE: "",
    PAGER: "cat",
    GIT_PAGER: "cat",
    GIT_OPTIONAL_LOCKS: "0",
    GIT_TERMINAL_PROMPT: "0",
    // A partial clone fetches missing objects while it compares: never from here, and never by a command of its own.
    GIT_NO_LAZY_FETCH: "1",
    GIT_ALLOW_PROTOCOL: "none",
  };
}

export function withSettings(environment: NodeJS.ProcessEnv, settings: GitSettings = []): NodeJS.ProcessEnv {
  if (settings.length === 0) return environment;
  const added: NodeJS.ProcessEnv = { GIT_CONFIG_COUNT: String(settings.length) };
  for (const [index, [name, value]] of settings.entries()) {
    added[`GIT_CONFIG_KEY_${index}`] = name;
    added[`GIT_CONFIG_VALUE_${index}`] = value;
  }
  return { ...environment, ...added };
}
