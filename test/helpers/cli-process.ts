/** The command as it is shipped: one file, in a process of its own. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { copyFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { WHO } from "./git-repository.ts";

const BUNDLE = fileURLToPath(new URL("../../scripts/bundle-cli.mjs", import.meta.url));

/** Makes the file that `npx snapwire` runs. @returns its path */
export function bundleInto(folder: string): string {
  const file = join(folder, "snapwire.mjs");
  execFileSync(process.execPath, [BUNDLE, file], { stdio: ["ignore", "inherit", "inherit"] });
  return file;
}

/** The files of which the command consists, the one that is started first. */
export const COMMAND_FILES = ["snapwire.mjs", "snapwire-hook.mjs", "snapwire-main.mjs"] as const;

/** Copies the command into a folder. @param file - what `bundleInto` made @returns the path of what is started */
export function copyCommand(file: string, folder: string): string {
  for (const name of COMMAND_FILES) copyFileSync(join(dirname(file), name), join(folder, name));
  return join(folder, COMMAND_FILES[0]);
}

/** Nothing of the settings of whoever runs the tests. */
export function cleanEnvironment(home: string): NodeJS.ProcessEnv {
  const { PATH } = process.env;
  return { PATH, HOME: home, ...WHO, GIT_CONFIG_GLOBAL: "/dev/null", GIT_CONFIG_NOSYSTEM: "1" };
}

export interface Process extends AsyncDisposable {
  readonly child: ChildProcess;
  readonly out: () => string;
  readonly err: () => string;
  readonly lines: () => string[];
  /** The exit code, or the name of the signal that ended it. */
  readonly done: Promise<number | string>;
}

export function launch(
  command: string,
  args: readonly string[],
  options: { readonly cwd: string; readonly env: NodeJS.ProcessEnv },
): Process {
  const child = spawn(command, args, { ...options, stdio: ["ignore", "pipe", "pipe"] });
  let out = "";
  let err = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    out += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    err += text;
  });
  const done = new Promise<number | string>((resolve) => {
    child.on("close", (code, signal) => resolve(code ?? signal ?? "unknown"));
  });
  return {
    child,
    out: () => out,
    err: () => err,
    lines: () => out.split("\n").filter((line) => line !== ""),
    done,
    async [Symbol.asyncDispose]() {
      if (child.exitCode === null && child.signalCode === null) child.kill("SIGKILL");
      await done;
    },
  };
}
