/** The command line that an agent's settings get: short where `snapwire` is installed, else by its place. */
import { accessSync, constants, existsSync, realpathSync } from "node:fs";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { HookAgent } from "../agent-hooks/index.ts";

export interface HookCommandLine {
  readonly line: string;
  /** It lies where it may be deleted: the folder in which `npx` keeps what it fetched. */
  readonly isFleeting: boolean;
}

export interface HookProgram {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The file of the hook command. @defaultValue beside this one */
  readonly file?: string;
}

/** @param url - Written only when it is said: the command knows the usual one. */
export function hookCommandLine(
  agent: HookAgent,
  url: string | undefined,
  { env, file = fileURLToPath(new URL("snapwire-hook.mjs", import.meta.url)) }: HookProgram,
): HookCommandLine {
  const args = `--agent ${agent}${url === undefined ? "" : ` --url ${quoted(url)}`}`;
  // An agent must not be told that its hook failed because this was uninstalled.
  const anyway = process.platform === "win32" ? "" : " || true";
  if (isOnPath(env.PATH, file)) return { line: `snapwire hook ${args}${anyway}`, isFleeting: false };
  return {
    line: `${quoted(process.execPath)} ${quoted(file)} ${args}${anyway}`,
    isFleeting: /[\\/]_npx[\\/]/.test(file),
  };
}

/** Whether `snapwire` on the path is the one that this belongs to. */
function isOnPath(path: string | undefined, file: string): boolean {
  if (!existsSync(file)) return false;
  const own = realpathSync(join(file, "..", "snapwire.mjs"));
  for (const folder of (path ?? "").split(delimiter)) {
    if (folder === "" || /[\\/]_npx[\\/]|[\\/]node_modules[\\/]\.bin$/.test(folder)) continue;
    try {
      const found = join(folder, "snapwire");
      accessSync(found, constants.X_OK);
      return realpathSync(found) === own;
    } catch {
      // not there
    }
  }
  return false;
}

function quoted(text: string): string {
  if (/^[\w./:@%+=-]+$/.test(text)) return text;
  return process.platform === "win32" ? `"${text}"` : `'${text.replaceAll("'", "'\\''")}'`;
}
