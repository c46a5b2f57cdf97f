/** `snapwire demo`: a project that is made up, served like a real one, until it is told to end. */
import type { Logger } from "pino";
import { playDemo } from "../demo/play.ts";
import { DEMO_PROJECT, demoStory } from "../demo/story.ts";
import { createSnapwireRouter } from "../router/index.ts";
import { createBoard, createSnapwireServer, plainEndpoints } from "../server/index.ts";
import { createSnapwire } from "../snapwire.ts";
import type { Command, Invocation } from "./command.ts";
import { EXIT, type ExitCode, usageFailure } from "./exit-codes.ts";
import { aborted, say } from "./io.ts";
import { createLogger } from "./logger.ts";
import { mayOpenBrowser, openBrowser } from "./open-browser.ts";
import { withLoggedRefusal } from "./refusal-log.ts";
import { safeText } from "./safe-text.ts";
import { addressLines, addressOf, watchLine } from "./serve-lines.ts";
import { listen } from "./serve-listen.ts";

const DRAIN_MS = 2_000;

export const demoCommand: Command = {
  name: "demo",
  summary: "Serve a project that is made up, to try things on",
  synopsis: "[flags]",
  maxArguments: 0,
  settings: ["port", "open", "logLevel"],
  flags: {
    seed: { type: "string", value: "<number>", help: "which story it tells (default 1)" },
    speed: { type: "string", value: "<number>", help: "how fast, from 0.1 to 100 (default 1)" },
  },
  logs: true,
  notes: ["No repository is read, nothing is kept, and only this machine may connect."],
  examples: ["snapwire demo", "snapwire demo --seed 7 --speed 4"],
  defaults: (io) => ({ port: 4747, open: true, logLevel: io.isStderrTTY ? "warn" : "info" }),
  run: demo,
};

function demo(invocation: Invocation): Promise<number> {
  const { io, config } = invocation;
  const logger = createLogger(io.stderr, config.values.logLevel ?? "info").child({ room: "cli" });
  for (const warning of config.warnings) logger.warn({}, warning);
  return withLoggedRefusal(io, logger, () => play(invocation, logger));
}

async function play({ io, args, config }: Invocation, logger: Logger): Promise<ExitCode> {
  const seed = numberOf("--seed", args.text("seed") ?? "1", 0, 4_294_967_295);
  const speed = numberOf("--speed", args.text("speed") ?? "1", 0.1, 100);
  const { port = 4747, open } = config.values;
  await using live = createSnapwire({ logger });
  await live.start();
  const board = createBoard();
  await using server = createSnapwireServer({
    live,
    board,
    plain: plainEndpoints(live, { logger }),
    router: createSnapwireRouter({ live, logger }),
    logger,
  });
  const address = addressOf(await listen(server, port, "127.0.0.1"));
  const playing = playDemo({ live, story: demoStory(seed), logger, speed });
  logger.info({ url: address.url, seed, madeUp: true }, "serving a demo");
  const title = `${DEMO_PROJECT}   everything in it is invented; seed ${seed}`;
  for (const line of [...addressLines(address, board !== undefined), `  ${"Project".padEnd(12)}${title}`])
    say(io.stdout, line);
  say(io.stdout, watchLine(address, false));
  if (board && open && mayOpenBrowser(io)) openBrowser(address.near, logger);
  await aborted(io.signal);
  await playing.stop();
  await server.drain({ deadlineMs: DRAIN_MS });
  say(io.stdout, "Stopped.");
  return io.signal.reason === "SIGINT" ? EXIT.interrupted : EXIT.ok;
}

function numberOf(flag: string, text: string, least: number, most: number): number {
  const value = /^\d{1,10}(\.\d{1,6})?$/.test(text) ? Number(text) : Number.NaN;
  if (value >= least && value <= most) return value;
  throw usageFailure(`${flag} must be a number from ${least} to ${most}, not ${safeText(text)}.`);
}
