/** A question on the terminal. */
import type { CliIo } from "./io.ts";

/** Only a clear yes is one. Without a terminal to ask on, or when it ends, it is a no. */
export function askYes(io: Pick<CliIo, "stdin" | "stdout" | "signal">, question: string): Promise<boolean> {
  const { stdin, stdout, signal } = io;
  if (!stdin) return Promise.resolve(false);
  stdout.write(`${question} [y/N] `);
  return new Promise((resolve) => {
    let said = "";
    const answer = (yes: boolean): void => {
      stdin.off("data", hear);
      stdin.off("end", end);
      signal.removeEventListener("abort", end);
      stdin.pause();
      resolve(yes);
    };
    const end = (): void => answer(false);
    const hear = (chunk: Buffer | string): void => {
      said += String(chunk);
      if (said.includes("\n") || said.length > 100) answer(/^\s*y(es)?\s*$/i.test(said.split("\n")[0] ?? ""));
    };
    stdin.on("data", hear);
    stdin.on("end", end);
    signal.addEventListener("abort", end);
  });
}
