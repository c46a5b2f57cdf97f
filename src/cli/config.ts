/**
 * The settings of one run: flags > environment > configuration file > default. Every value is checked, and knows where
 * it comes from.
 */
import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { type ParsedArguments, readSwitch } from "./arguments.ts";
import { usageFailure } from "./exit-codes.ts";
import { suggestion } from "./nearest.ts";
import { safeText } from "./safe-text.ts";
import { SETTING_KEYS, SETTINGS, type SettingKey, type Settings, settingsSchema } from "./settings.ts";

/** Where a value comes from, in words. */
type Origin = "default" | `flag ${string}` | `environment ${string}` | `file ${string}`;

export interface LoadedConfig {
  readonly values: Partial<Settings>;
  readonly origins: Partial<Record<SettingKey, Origin>>;
  /** What is wrong but harms nothing. */
  readonly warnings: readonly string[];
}

export interface ConfigSources {
  /** The settings that the command has; the others may stand in the file and in the environment all the same. */
  readonly keys: readonly SettingKey[];
  readonly args: Pick<ParsedArguments, "texts" | "has">;
  /** Given as an argument in place of a flag. */
  readonly named?: Partial<Record<SettingKey, string>>;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The configuration file. */
  readonly file: string | undefined;
  readonly cwd: string;
  readonly defaults: Partial<Settings>;
}

/** @throws {@link CliFailure} with the code for usage: a value that is not allowed, a key that nobody knows. */
export function loadConfig(sources: ConfigSources): LoadedConfig {
  const { keys, env, cwd } = sources;
  const fromFile = sources.file === undefined ? undefined : readConfigFile(resolve(cwd, sources.file));
  const values: Partial<Record<SettingKey, unknown>> = {};
  const origins: Partial<Record<SettingKey, Origin>> = {};
  for (const key of keys) {
    const found =
      flagValue(key, sources) ??
      environmentValue(key, env) ??
      (fromFile && fileValue(key, fromFile)) ??
      defaultValue(key, sources.defaults);
    if (!found) continue;
    const checked = found.origin === "default" ? found.raw : check(key, found);
    values[key] = SETTINGS[key].path ? resolvePaths(found.base ?? cwd, checked) : checked;
    origins[key] = found.origin;
  }
  return { values: values as Partial<Settings>, origins, warnings: unknownVariables(env) };
}

/** What `--print-config` prints: each value and where it comes from. Secrets are masked. */
export function describeConfig({ values, origins }: LoadedConfig): object {
  return Object.fromEntries(
    SETTING_KEYS.filter((key) => origins[key] !== undefined).map((key) => [
      key,
      { value: SETTINGS[key].secret ? MASK : maskUrl(values[key]), from: origins[key] },
    ]),
  );
}

const MASK = "***";

/** A url that holds a secret is refused where it is used; to say so must not repeat it. */
function maskUrl(value: unknown): unknown {
  if (typeof value !== "string") return value;
  return value.replace(/\/\/[^/@\s]*@/, `//${MASK}@`).replace(/([?&]token=)[^&#]*/gi, `$1${MASK}`);
}

interface Found {
  readonly raw: unknown;
  readonly origin: Origin;
  /** How the person named it: `--port`, `SNAPWIRE_PORT`, `"port" in <file>`. */
  readonly named: string;
  /** The folder that relative paths start from; undefined: the working directory. */
  readonly base?: string;
}

function flagValue(key: SettingKey, { args, named }: ConfigSources): Found | undefined {
  const { flag, kind, separator = ",", inOneFlag } = SETTINGS[key];
  const argument = named?.[key];
  const isWritten = flag !== undefined && args.has(flag);
  if (argument !== undefined && isWritten)
    throw usageFailure(`The ${key} is given twice: as an argument and as --${flag}. Leave one of them out.`);
  if (argument !== undefined)
    return { raw: fromText(kind, argument), origin: `flag ${key}`, named: `The ${key}` };
  if (!isWritten) return undefined;
  const texts = args.texts(flag);
  if (kind === "switch") {
    const on = texts.at(-1) !== "false";
    const written = on ? `--${flag}` : `--no-${flag}`;
    return { raw: on, origin: `flag ${written}`, named: written };
  }
  const items = inOneFlag ? texts.flatMap((text) => text.split(separator)) : [...texts];
  const raw = kind === "list" ? items : fromText(kind, texts.at(-1) ?? "");
  return { raw, origin: `flag --${flag}`, named: `--${flag}` };
}

function environmentValue(key: SettingKey, env: ConfigSources["env"]): Found | undefined {
  const { env: name, kind, separator = "," } = SETTINGS[key];
  const text = env[name];
  if (text === undefined || text === "") return undefined; // `NAME= command` is how a shell takes a variable away
  const raw = kind === "list" ? text.split(separator).filter((part) => part !== "") : fromText(kind, text);
  return { raw, origin: `environment ${name}`, named: name };
}

interface ConfigFile {
  readonly path: string;
  readonly content: Readonly<Record<string, unknown>>;
}

function fileValue(key: SettingKey, { path, content }: ConfigFile): Found | undefined {
  if (!Object.hasOwn(content, key)) return undefined;
  return { raw: content[key], origin: `file ${path}`, named: `"${key}" in ${path}`, base: dirname(path) };
}

function defaultValue(key: SettingKey, defaults: Partial<Settings>): Found | undefined {
  const raw = defaults[key];
  return raw === undefined ? undefined : { raw, origin: "default", named: key };
}

function fromText(kind: "text" | "number" | "switch" | "list", text: string): unknown {
  if (kind === "number") return /^\d{1,16}$/.test(text) ? Number(text) : text;
  if (kind === "switch") return readSwitch(text) ?? text;
  return text;
}

function check(key: SettingKey, { raw, named }: Found): unknown {
  const parsed = settingsSchema.shape[key].safeParse(raw);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  const shown = SETTINGS[key].secret ? "" : `, not ${shownValue(key, raw, issue?.path[0])}`;
  throw usageFailure(`${safeText(named)} ${issue?.message ?? "is not allowed"}${shown}.`);
}

/** As it was written: of a list the item that is wrong, else its items as they stand on a command line. */
function shownValue(key: SettingKey, raw: unknown, at: PropertyKey | undefined): string {
  const { separator = "," } = SETTINGS[key];
  const value = Array.isArray(raw) ? (typeof at === "number" ? raw[at] : raw.join(separator)) : raw;
  return safeText(JSON.stringify(maskUrl(value)) ?? String(value));
}

function readConfigFile(path: string): ConfigFile {
  const wrong = (what: string): Error =>
    usageFailure(`The configuration file ${safeText(path)} ${what}. It holds JSON like {"port": 4747}.`);
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? "unknown error";
    throw wrong(code === "ENOENT" ? "does not exist" : `cannot be read (${code})`);
  }
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch {
    throw wrong("is not JSON");
  }
  if (typeof content !== "object" || content === null || Array.isArray(content))
    throw wrong("must hold an object");
  for (const key of Object.keys(content)) {
    if (Object.hasOwn(SETTINGS, key)) continue;
    throw usageFailure(
      `There is no setting "${safeText(key)}" (in ${safeText(path)}).${suggestion(key, SETTING_KEYS)} ` +
        `Settings: ${SETTING_KEYS.join(", ")}.`,
    );
  }
  const file = { path, content: content as Readonly<Record<string, unknown>> };
  // Those of other commands too: a file is right or wrong as a whole.
  for (const key of SETTING_KEYS) {
    const found = fileValue(key, file);
    if (found) check(key, found);
  }
  return file;
}

function resolvePaths(base: string, value: unknown): unknown {
  if (typeof value === "string") return resolve(base, value);
  return Array.isArray(value) ? value.map((one) => resolve(base, String(one))) : value;
}

function unknownVariables(env: ConfigSources["env"]): string[] {
  const known = [...SETTING_KEYS.map((key) => SETTINGS[key].env), "SNAPWIRE_TOKEN_FILE"];
  return Object.keys(env)
    .filter((name) => name.startsWith("SNAPWIRE_") && !known.includes(name))
    .map((name) => `There is no setting ${safeText(name)} in the environment.${suggestion(name, known)}`);
}
