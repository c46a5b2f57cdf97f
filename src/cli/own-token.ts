/** The token that this person shows to a server, from a file that nobody else may read. Without any package. */
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";

type Environment = Readonly<Record<string, string | undefined>>;

const LONGEST = 4_096;

function ownTokenFile(env: Environment): string | undefined {
  if (env.SNAPWIRE_TOKEN_FILE) return env.SNAPWIRE_TOKEN_FILE;
  const folder = env.XDG_CONFIG_HOME || (env.HOME && join(env.HOME, ".config"));
  return folder ? join(folder, "snapwire", "token") : undefined;
}

/** `SNAPWIRE_TOKEN`, else the first line of the file; undefined when there is none, or others may read it. */
export function ownToken(env: Environment): string | undefined {
  if (env.SNAPWIRE_TOKEN) return env.SNAPWIRE_TOKEN;
  const file = ownTokenFile(env);
  if (file === undefined) return undefined;
  try {
    const { mode, size } = statSync(file);
    if ((mode & 0o077) !== 0 && process.platform !== "win32") return undefined;
    if (size > LONGEST) return undefined;
    const [line = ""] = readFileSync(file, "utf8").split("\n");
    const token = line.trim();
    return /^\S+$/.test(token) ? token : undefined;
  } catch {
    return undefined;
  }
}
