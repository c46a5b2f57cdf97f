/** One node as a process: its options stand in its first argument, as JSON. */
import { createNatsJournal } from "../../src/journal/nats/index.ts";
import { createSnapwireRouter } from "../../src/router/index.ts";
import { createSnapwireServer } from "../../src/server/index.ts";
import { createSnapwire } from "../../src/snapwire.ts";

const { port, ...journal } = JSON.parse(process.argv[2] ?? "{}");
const say =
  (level: string) =>
  (facts: object, message: string): void =>
    void process.stderr.write(`${new Date().toISOString()} ${level} ${message} ${JSON.stringify(facts)}\n`);
const logger = { debug: () => undefined, info: say("info"), warn: say("warn"), error: say("error") };
const live = createSnapwire({ logger, journal: createNatsJournal({ ...journal, logger }) });
await live.start();
const server = createSnapwireServer({ live, router: createSnapwireRouter({ live }) });
await server.listen(port);
process.stdout.write("listening\n");
process.once("SIGTERM", () => {
  void (async () => {
    await server.drain({ overMs: 1_000, deadlineMs: 4_000 });
    await live.stop();
    process.exit(0);
  })();
});
