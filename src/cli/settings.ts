/** What can be configured: by a flag, by the environment, in a file. One table; the order of precedence is `config.ts`. */
import { delimiter } from "node:path";
import { z } from "zod";

const LOG_LEVELS = ["trace", "debug", "info", "warn", "error", "fatal", "silent"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

const text = z.string({ error: "must be text" }).min(1, { error: "must not be empty" });
const list = z.array(text, { error: "must be a list of texts" });

const PORT = "must be a whole number from 0 to 65535";

/** The shape of the configuration file, and what every other way in ends as. */
export const settingsSchema = z.strictObject({
  port: z.int({ error: PORT }).min(0, { error: PORT }).max(65_535, { error: PORT }),
  host: text,
  repo: list.min(1, { error: "must name at least one folder" }),
  open: z.boolean({ error: "must be true or false" }),
  tokens: text,
  token: text.regex(/^\S+$/, { error: "must not hold blanks" }),
  logLevel: z.enum(LOG_LEVELS, { error: `must be one of ${LOG_LEVELS.join(", ")}` }),
  allowedOrigins: list,
  allowedHosts: list,
  url: text,
  project: text,
});

export type Settings = z.infer<typeof settingsSchema>;
export type SettingKey = keyof Settings;

export interface SettingSpec {
  readonly flag?: string;
  /** A boolean flag that turns it off. */
  readonly offFlag?: string;
  readonly env: string;
  readonly kind: "text" | "number" | "switch" | "list";
  /** Between the items of a list in the environment. */
  readonly separator?: string;
  /** A path: relative to the working directory, in a file to the file's own folder. */
  readonly path?: boolean;
  /** Never shown. */
  readonly secret?: boolean;
  /** What stands for the value in the help. */
  readonly value?: string;
  readonly help: string;
}

export const SETTINGS: Readonly<Record<SettingKey, SettingSpec>> = {
  port: {
    flag: "port",
    env: "SNAPWIRE_PORT",
    kind: "number",
    value: "<number>",
    help: "port to listen on; 0 takes a free one (default 4747)",
  },
  host: {
    flag: "host",
    env: "SNAPWIRE_HOST",
    kind: "text",
    value: "<address>",
    help: "address to listen on; any but this machine's own needs a token (default 127.0.0.1)",
  },
  repo: {
    flag: "repo",
    env: "SNAPWIRE_REPO",
    kind: "list",
    separator: delimiter,
    path: true,
    value: "<folder>",
    help: "a git repository, or any folder inside one; may be repeated (default: here)",
  },
  open: {
    offFlag: "no-open",
    env: "SNAPWIRE_OPEN",
    kind: "switch",
    help: "do not open a browser",
  },
  tokens: {
    flag: "tokens",
    env: "SNAPWIRE_TOKENS",
    kind: "text",
    path: true,
    value: "<file>",
    help: "the token file (default ~/.config/snapwire/tokens.json)",
  },
  token: {
    flag: "token",
    env: "SNAPWIRE_TOKEN",
    kind: "text",
    secret: true,
    value: "<token>",
    help: "the token to show; better in the environment, since others can see your flags",
  },
  logLevel: {
    flag: "log-level",
    env: "SNAPWIRE_LOG_LEVEL",
    kind: "text",
    value: "<level>",
    help: `what goes to stderr: ${LOG_LEVELS.join(", ")} (default info, on a terminal warn)`,
  },
  allowedOrigins: {
    flag: "allow-origin",
    env: "SNAPWIRE_ALLOWED_ORIGINS",
    kind: "list",
    separator: ",",
    value: "<origin>",
    help: "a web site that may use it, like https://board.example.com; may be repeated",
  },
  allowedHosts: {
    flag: "allow-host",
    env: "SNAPWIRE_ALLOWED_HOSTS",
    kind: "list",
    separator: ",",
    value: "<name>",
    help: "a further name of this machine, while there are no tokens; may be repeated",
  },
  url: {
    flag: "url",
    env: "SNAPWIRE_URL",
    kind: "text",
    value: "<url>",
    help: "where the server is (default http://127.0.0.1:4747)",
  },
  project: {
    flag: "project",
    env: "SNAPWIRE_PROJECT",
    kind: "text",
    value: "<id>",
    help: "the project",
  },
};

export const SETTING_KEYS = Object.keys(SETTINGS) as readonly SettingKey[];
