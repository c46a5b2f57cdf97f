/** Opens the board where a person sits in front of the machine, and nowhere else. */
import { spawn } from "node:child_process";
import type { Logger } from "pino";
import type { CliIo } from "./io.ts";

type Launcher = readonly [command: string, ...args: string[]];

const LAUNCHERS: Readonly<Partial<Record<NodeJS.Platform, Launcher>>> = {
  darwin: ["open"],
  win32: ["explorer.exe"],
  linux: ["xdg-open"],
};

/** A pipe, a session over ssh, a CI job or a desktop that is not there: nobody would see it. */
export function mayOpenBrowser(
  { isTTY, env }: Pick<CliIo, "isTTY" | "env">,
  platform = process.platform,
): boolean {
  if (!isTTY || env.CI || env.SSH_CONNECTION || env.SSH_TTY) return false;
  return platform !== "linux" || Boolean(env.DISPLAY || env.WAYLAND_DISPLAY);
}

/** It is a courtesy: that it did not work is a fact for the log, and no more. */
export function openBrowser(url: string, logger: Logger): void {
  const [command, ...args] = LAUNCHERS[process.platform] ?? [];
  if (command === undefined) return;
  const failed = (error: unknown): void =>
    logger.debug({ reason: String(error) }, "no browser could be opened");
  try {
    const child = spawn(command, [...args, url], { stdio: "ignore", detached: true });
    child.on("error", failed);
    child.unref();
  } catch (error) {
    failed(error);
  }
}
