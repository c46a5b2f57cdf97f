/** A NATS server of a test's own: a free port, a folder that is removed afterwards, and what can befall a server. */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";

/** Where the program is, or which one the environment asks for; `undefined` where it is not installed. */
function natsServerProgram(): string | undefined {
  const asked = process.env.NATS_SERVER;
  if (asked !== undefined && asked !== "") {
    if (existsSync(asked)) return asked;
    throw new Error(`NATS_SERVER says ${asked}, and that does not exist`);
  }
  const folders = [...(process.env.PATH ?? "").split(delimiter), "/usr/sbin", "/usr/local/bin"];
  return folders.map((folder) => join(folder, "nats-server")).find((path) => existsSync(path));
}

/** What a suite says when it does not run. */
export const NO_NATS_SERVER = natsServerProgram() === undefined;
export const natsTitle = (title: string): string =>
  NO_NATS_SERVER ? `${title} (skipped: no nats-server is installed; apt-get install nats-server)` : title;

export interface NatsServer extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  /** Where it keeps what it stores. */
  readonly store: string;
  readonly pid: number | undefined;
  start(): Promise<void>;
  /** SIGKILL, and waits until it is gone. */
  kill(): Promise<void>;
  /** SIGSTOP, and waits until it says nothing any more. */
  freeze(): Promise<void>;
  thaw(): void;
  /** Removes what it has stored; it must not be running. */
  wipe(): Promise<void>;
}

export interface NatsServerOptions {
  readonly arguments?: readonly string[];
  readonly port?: number;
  /** @defaultValue true */
  readonly jetstream?: boolean;
  /** Lines of a configuration file. */
  readonly settings?: string;
  /** A folder of somebody else's. @defaultValue one of its own, removed with it */
  readonly store?: string;
}

export async function natsServer(options: NatsServerOptions = {}): Promise<NatsServer> {
  const program = natsServerProgram();
  if (program === undefined) throw new Error("no nats-server is installed");
  const folder = await mkdtemp(join(tmpdir(), "snapwire-nats-"));
  const store = options.store ?? join(folder, "store");
  const jetstream = options.jetstream === false ? [] : ["-js", "-sd", store];
  const port = options.port ?? (await freePort());
  const settings = join(folder, "settings.conf");
  if (options.settings !== undefined) await writeFile(settings, options.settings);
  const configured = options.settings === undefined ? [] : ["-c", settings];
  let child: ChildProcess | undefined;
  let gone: Promise<void> = Promise.resolve();

  const server: NatsServer = {
    url: `nats://127.0.0.1:${port}`,
    port,
    store,
    get pid() {
      return child?.pid;
    },
    start: async () => {
      const started = spawn(
        program,
        [...configured, "-a", "127.0.0.1", "-p", String(port), ...jetstream, ...(options.arguments ?? [])],
        { stdio: "ignore" },
      );
      child = started;
      gone = new Promise((resolve) => {
        started.once("exit", () => resolve());
        started.once("error", () => resolve());
      });
      await answering(port, started);
    },
    kill: async () => {
      child?.kill("SIGKILL");
      await gone;
    },
    freeze: async () => {
      child?.kill("SIGSTOP");
      while (await greets(port)) await new Promise((resolve) => setTimeout(resolve, 10));
    },
    thaw: () => void child?.kill("SIGCONT"),
    wipe: () => rm(store, { recursive: true, force: true }),
    [Symbol.asyncDispose]: async () => {
      child?.kill("SIGKILL");
      await gone;
      await rm(folder, { recursive: true, force: true, maxRetries: 5 });
    },
  };
  await server.start();
  return server;
}

export async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, "127.0.0.1", resolve));
  const address = probe.address();
  await new Promise<void>((resolve) => probe.close(() => resolve()));
  if (typeof address !== "object" || address === null) throw new Error("no port");
  return address.port;
}

/** Until the server greets: `INFO {...}` is the first thing that it says. */
async function answering(port: number, child: ChildProcess): Promise<void> {
  for (let patience = 0; patience < 400; patience += 1) {
    if (child.exitCode !== null) throw new Error(`nats-server ended with ${child.exitCode}`);
    if (await greets(port)) return;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  throw new Error("nats-server does not answer");
}

const GREETS_WITHIN_MS = 250;

function greets(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    const silent = setTimeout(() => done(false), GREETS_WITHIN_MS);
    const done = (answer: boolean): void => {
      clearTimeout(silent);
      socket.destroy();
      resolve(answer);
    };
    socket.once("data", (data) => done(data.toString().startsWith("INFO")));
    socket.once("error", () => done(false));
  });
}
