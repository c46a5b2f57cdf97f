/** What can be configured: by a flag, by the environment, in a file. One table; the order of precedence is `config.ts`. */
import { delimiter } from "node:path";
import { z } from "zod";
import { repositoryName } from "../github/repository-name.ts";
import { PLAIN_ENDPOINTS } from "../server/plain/endpoint.ts";
import { durationMs } from "./duration.ts";
import { isWebUrl } from "./web-url.ts";

const LOG_LEVELS = ["trace", "debug", "info", "warn", "error", "fatal", "silent"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

const DURABILITIES = ["disk", "process"] as const;

const text = z.string({ error: "must be text" }).min(1, { error: "must not be empty" });
const list = z.array(text, { error: "must be a list of texts" });

/** Which endpoints for clients without tRPC are served. */
const PLAIN_CHOICES = [...PLAIN_ENDPOINTS, "none"] as const;
const PLAIN = `must name some of ${PLAIN_ENDPOINTS.join(", ")}, or be none`;

const SECRETS = "must be one secret, or two while it is changed, of 16 characters or more each";
const REPOSITORY = "must be like owner/name=project";
const POLL = "must be a time from 10s to 1h, like 60s or 5m";

/** Https, since secrets travel there; on this machine http will do. */
const webUrl = (what: string) =>
  text.refine(isWebUrl, { error: `must be ${what}, with https (http on this machine only)` });

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
  data: text,
  ephemeral: z.boolean({ error: "must be true or false" }),
  durability: z.enum(DURABILITIES, { error: `must be one of ${DURABILITIES.join(", ")}` }),
  journal: text.regex(/^(nats|tls):\/\//, { error: "must be a url like nats://host:4222" }),
  url: text,
  project: text,
  workspace: text,
  plain: z
    .array(z.enum(PLAIN_CHOICES, { error: PLAIN }), { error: PLAIN })
    .refine((names) => names.length > 0 && (names.length === 1 || !names.includes("none")), { error: PLAIN }),
  github: z.array(text.refine(isRepositoryOfProject, { error: REPOSITORY }), {
    error: "must be a list of texts",
  }),
  githubSecret: z
    .array(z.string({ error: SECRETS }).min(16, { error: SECRETS }), { error: SECRETS })
    .min(1, { error: SECRETS })
    .max(2, { error: SECRETS }),
  githubPoll: z.string({ error: POLL }).refine(isPollTime, { error: POLL }),
  githubToken: text.regex(/^\S+$/, { error: "must not hold blanks" }),
  githubApi: webUrl("the url of GitHub's REST API"),
  jwtIssuer: text,
  jwtAudience: text,
  jwtKeys: webUrl("a url of a JSON Web Key Set"),
});

function isRepositoryOfProject(value: string): boolean {
  const at = value.indexOf("=");
  return at > 0 && at < value.length - 1 && repositoryName(value.slice(0, at)) !== undefined;
}

function isPollTime(value: string): boolean {
  const ms = durationMs(value);
  return ms !== undefined && ms >= 10_000 && ms <= 3_600_000;
}

export type Settings = z.infer<typeof settingsSchema>;
export type SettingKey = keyof Settings;

export interface SettingSpec {
  readonly flag?: string;
  /** Of a switch that is on by default: its help stands with `--no-...`. */
  readonly isOn?: boolean;
  readonly env: string;
  readonly kind: "text" | "number" | "switch" | "list";
  /** Between the items of a list in the environment. */
  readonly separator?: string;
  /** The items of a list may stand in one flag, with the separator between them. */
  readonly inOneFlag?: boolean;
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
    flag: "open",
    isOn: true,
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
  data: {
    flag: "data",
    env: "SNAPWIRE_DATA",
    kind: "text",
    path: true,
    value: "<folder>",
    help: "keep the state in this folder (default: one for the repository, below ~/.local/state/snapwire)",
  },
  ephemeral: {
    flag: "ephemeral",
    env: "SNAPWIRE_EPHEMERAL",
    kind: "switch",
    help: "keep the state in memory: it is gone when this ends",
  },
  durability: {
    flag: "durability",
    env: "SNAPWIRE_DURABILITY",
    kind: "text",
    value: "<what>",
    help: "what the state survives: disk (a power cut too) or process (a crash of this only; faster) (default disk)",
  },
  journal: {
    flag: "journal",
    env: "SNAPWIRE_JOURNAL",
    kind: "text",
    value: "<url>",
    help: "share the state with other nodes over NATS: nats://host:4222,host:4222?replicas=3",
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
  workspace: {
    flag: "workspace",
    env: "SNAPWIRE_WORKSPACE",
    kind: "text",
    value: "<id>",
    help: "the workspace (default: the one that this folder is in)",
  },
  plain: {
    flag: "plain",
    env: "SNAPWIRE_PLAIN",
    kind: "list",
    separator: ",",
    inOneFlag: true,
    value: "<names>",
    help: `endpoints for clients without tRPC: ${PLAIN_ENDPOINTS.join(", ")}, or none (default all but api)`,
  },
  github: {
    flag: "github",
    env: "SNAPWIRE_GITHUB",
    kind: "list",
    separator: ",",
    value: "<owner/name=project>",
    help: "a repository on GitHub and its project, beside those that git names; may be repeated",
  },
  githubSecret: {
    env: "SNAPWIRE_GITHUB_SECRET",
    kind: "list",
    separator: ",",
    secret: true,
    help: "what GitHub signs its webhooks with; two, separated by a comma, while it is changed",
  },
  githubPoll: {
    flag: "github-poll",
    env: "SNAPWIRE_GITHUB_POLL",
    kind: "text",
    value: "<time>",
    help: "ask GitHub this often, where webhooks cannot arrive, like 60s; needs SNAPWIRE_GITHUB_TOKEN",
  },
  githubToken: {
    env: "SNAPWIRE_GITHUB_TOKEN",
    kind: "text",
    secret: true,
    help: "a token of GitHub's that may read pull requests, checks and statuses; for --github-poll",
  },
  githubApi: {
    flag: "github-api",
    env: "SNAPWIRE_GITHUB_API",
    kind: "text",
    value: "<url>",
    help: "where GitHub's REST API is (default https://api.github.com)",
  },
  jwtIssuer: {
    flag: "jwt-issuer",
    env: "SNAPWIRE_JWT_ISSUER",
    kind: "text",
    value: "<url>",
    help: "take JSON Web Tokens of this issuer too",
  },
  jwtAudience: {
    flag: "jwt-audience",
    env: "SNAPWIRE_JWT_AUDIENCE",
    kind: "text",
    value: "<name>",
    help: "the audience that they must name",
  },
  jwtKeys: {
    flag: "jwt-keys",
    env: "SNAPWIRE_JWT_KEYS",
    kind: "text",
    value: "<url>",
    help: "where the issuer's keys are (default <issuer>/.well-known/jwks.json)",
  },
};

export const SETTING_KEYS = Object.keys(SETTINGS) as readonly SettingKey[];
