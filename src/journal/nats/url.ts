/**
 * The engine as one url, for a command line: `nats://user:pass@host:4222,host:4223?replicas=3`. The scheme may stand before
 * each server, as other clients write it.
 */
import { readFileSync } from "node:fs";
import { SnapwireError } from "../../protocol/errors.ts";
import type { NatsJournalOptions } from "./options.ts";

type Setting = (value: string, name: string) => Partial<NatsJournalOptions>;

const whole: (make: (value: number) => Partial<NatsJournalOptions>) => Setting = (make) => (value, name) => {
  if (/^\d{1,15}$/.test(value)) return make(Number(value));
  throw new SnapwireError("invalid-input", `${name} must be a whole number, not ${JSON.stringify(value)}.`);
};

/** What may stand behind the question mark. */
const SETTINGS: Readonly<Record<string, Setting>> = {
  name: (name) => ({ name }),
  prefix: (subjectPrefix) => ({ subjectPrefix }),
  state: (stateStream) => ({ stateStream }),
  events: (eventsStream) => ({ eventsStream }),
  replicas: whole((replicas) => ({ replicas })),
  storage: (value, name) => {
    if (value === "file" || value === "memory") return { storage: value };
    throw new SnapwireError("invalid-input", `${name} must be file or memory, not ${JSON.stringify(value)}.`);
  },
  creds: (path, name) => ({ credentials: readText(path, name) }),
  ca: (caFile) => ({ tls: { caFile } }),
  cert: (certFile) => ({ tls: { certFile } }),
  key: (keyFile) => ({ tls: { keyFile } }),
  wait: (value, name) => {
    const set = whole((writeWaitMs) => ({ writeWaitMs }))(value, name);
    if (Number(value) <= MAX_WAIT_MS) return set;
    throw new SnapwireError(
      "invalid-input",
      `${name} is in milliseconds, and at most ${MAX_WAIT_MS} (10 minutes), not ${value}: write wait=8000 for 8 s.`,
    );
  },
};

/** Whoever waits longer for a write has left. */
const MAX_WAIT_MS = 600_000;
const URL_SHAPE = /^(nats|tls):\/\/(?:([^@/?]*)@)?([^@?]+?)\/?(?:\?(.*))?$/;
const HOST = /^(\[[0-9a-f:.]+\]|[\w.-]+)(:\d{1,5})?$/i;

/** @throws {@link SnapwireError} `invalid-input` for what is no such url; the message does not repeat what is secret. */
export function natsOptionsFromUrl(url: string): NatsJournalOptions {
  const [, scheme = "", login, hosts = "", query = ""] = URL_SHAPE.exec(url) ?? [];
  const again = `${scheme}://`;
  const servers = hosts
    .split(",")
    .map((host, index) => (index > 0 && host.startsWith(again) ? host.slice(again.length) : host));
  if (scheme === "" || !servers.every((host) => HOST.test(host)))
    throw new SnapwireError(
      "invalid-input",
      "The journal is a url like nats://host:4222 or nats://user:password@one:4222,two:4222?replicas=3, with one scheme " +
        "for all servers, and the user once.",
    );
  let options: NatsJournalOptions = {
    servers: servers.map((host) => `${scheme}://${host}`),
    ...loginOf(login),
  };
  if (scheme === "tls") options = { ...options, tls: {} };
  const settings = new URLSearchParams(query);
  for (const [name, value] of settings) {
    const setting = Object.hasOwn(SETTINGS, name) ? SETTINGS[name] : undefined;
    if (!setting)
      throw new SnapwireError(
        "invalid-input",
        `There is no ${JSON.stringify(name)} in the url of a journal. There are: ${Object.keys(SETTINGS).join(", ")}.`,
      );
    if (settings.getAll(name).length > 1)
      throw new SnapwireError(
        "invalid-input",
        `${name} stands more than once in the url of the journal: write ${name}=<value> once.`,
      );
    if (value === "")
      throw new SnapwireError(
        "invalid-input",
        `${name} in the url of the journal is empty: write ${name}=<value>, or leave it out.`,
      );
    const { tls, ...rest } = setting(value, `${name} in the url of the journal`);
    options = { ...options, ...rest, ...(tls ? { tls: { ...options.tls, ...tls } } : {}) };
  }
  return options;
}

/** `user:pass`, or a token alone. */
function loginOf(login: string | undefined): NatsJournalOptions {
  if (login === undefined || login === "") return {};
  const [user = "", ...rest] = login.split(":");
  if (rest.length === 0) return { token: decodeURIComponent(user) };
  return { user: decodeURIComponent(user), pass: decodeURIComponent(rest.join(":")) };
}

function readText(path: string, name: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    throw new SnapwireError("invalid-input", `${name} cannot be read: ${(error as Error).message}.`, {
      cause: error,
    });
  }
}
