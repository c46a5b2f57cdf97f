/** `node host.mjs <module>`: a process with one server under test and its publisher, driven over IPC. */
import { digestOf } from "../lib/digest.mjs";
import { Publisher } from "./publisher.mjs";

const { serve } = await import(`./${process.argv[2]}.mjs`);
let server;
let publisher;

const commands = {
  async start({ entry, patch, keys, scopes, ackPath, options }) {
    server = await serve({ entry, patch, keys, scopes, ...options });
    publisher = new Publisher(server, keys);
    await publisher.listen(ackPath);
    return { port: server.port };
  },
  warm: (how) => publisher.warm(how),
  saturate: (how) => publisher.saturate(how),
  steady: (how) => publisher.steady(how),
  touch: (how) => publisher.touch(how),
  roam: (how) => publisher.roam(how),
  rest: () => publisher.rest(),
  /** What the store holds now: one digest per scope. */
  state() {
    const scopes = server.state?.() ?? [publisher.newestOf];
    return { digests: scopes.map((newestOf) => digestOf(newestOf)), n: publisher.n };
  },
  /** For the report of a difference. */
  entries: ({ scope }) => Object.fromEntries((server.state?.() ?? [publisher.newestOf])[scope]),
  counts: () => ({ subscribers: server.subscribers(), stats: server.stats?.() ?? null }),
  memory() {
    for (let pass = 0; pass < 3; pass += 1) globalThis.gc();
    const { rss, heapUsed, external } = process.memoryUsage();
    return { rss, heapUsed, external };
  },
  cpu() {
    const { user, system } = process.cpuUsage();
    return { us: user + system };
  },
};

process.on("message", async ({ id, command, input }) => {
  try {
    process.send({ id, result: (await commands[command](input)) ?? null });
  } catch (error) {
    process.send({ id, error: error instanceof Error ? (error.stack ?? error.message) : String(error) });
  }
});
process.on("disconnect", () => process.exit(0));
process.send({ ready: true });
