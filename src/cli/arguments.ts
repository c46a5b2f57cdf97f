/** From the words of a command line to flags and arguments. What is not known is refused, with what was probably meant. */
import { parseArgs } from "node:util";
import { usageFailure } from "./exit-codes.ts";
import { suggestion } from "./nearest.ts";

export interface FlagSpec {
  readonly type: "string" | "boolean";
  /** May be given more than once. */
  readonly multiple?: boolean;
  /** One letter. */
  readonly short?: string;
  /** Of a boolean: it may be given `true` or `false`, and `--no-...` turns it off; its text is one of the two. */
  readonly isSwitch?: boolean;
  /** What stands for the value in the help. */
  readonly value?: string;
  readonly help: string;
}

export type FlagSpecs = Readonly<Record<string, FlagSpec>>;

export interface ParsedArguments {
  readonly positionals: readonly string[];
  /** The last one wins. */
  text(name: string): string | undefined;
  /** All of them, in order. */
  texts(name: string): readonly string[];
  has(name: string): boolean;
}

/** @throws {@link CliFailure} with the code for usage. */
export function parseArguments(args: readonly string[], specs: FlagSpecs, command: string): ParsedArguments {
  const { tokens } = parseArgs({
    args: [...args],
    options: optionsOf(specs),
    strict: false, // the refusals are ours
    allowPositionals: true,
    tokens: true,
  });
  const given = new Map<string, string[]>();
  const positionals: string[] = [];
  for (const token of tokens) {
    if (token.kind === "positional") positionals.push(token.value);
    if (token.kind !== "option") continue;
    const { name, spec, text } = flagOf(token, specs, command);
    const values = given.get(name) ?? [];
    values.push(text ?? flagText(token, spec));
    given.set(name, values);
  }
  return {
    positionals,
    text: (name) => given.get(name)?.at(-1),
    texts: (name) => given.get(name) ?? [],
    has: (name) => given.has(name),
  };
}

interface OptionToken {
  readonly name: string;
  readonly rawName: string;
  readonly value: string | undefined;
  readonly inlineValue: boolean | undefined;
}

/** `--no-open` is `--open=false`, so that of the two the last one counts. */
function flagOf(
  token: OptionToken,
  specs: FlagSpecs,
  command: string,
): { readonly name: string; readonly spec: FlagSpec; readonly text?: string } {
  const { name, rawName, value } = token;
  const spec = specOf(specs, name);
  if (spec) return spec.isSwitch ? { name, spec, text: switchText(token) } : { name, spec };
  const opposite = name.startsWith("no-") ? name.slice(3) : "";
  const negated = specOf(specs, opposite);
  if (!negated?.isSwitch) throw unknownFlag(rawName, specs, command);
  if (value !== undefined) throw usageFailure(`${rawName} takes no value. Write it alone: ${rawName}`);
  return { name: opposite, spec: negated, text: "false" };
}

function specOf(specs: FlagSpecs, name: string): FlagSpec | undefined {
  return Object.hasOwn(specs, name) ? specs[name] : undefined;
}

function switchText({ name, rawName, value }: OptionToken): string {
  if (value === undefined) return "true";
  const on = readSwitch(value);
  if (on === undefined)
    throw usageFailure(
      `${rawName} must be true or false, not ${JSON.stringify(value)}. To turn it off: --no-${name}`,
    );
  return String(on);
}

/** As people write yes and no; undefined for anything else. */
export function readSwitch(text: string): boolean | undefined {
  return SWITCHES.get(text.toLowerCase());
}

const SWITCHES: ReadonlyMap<string, boolean> = new Map([
  ["true", true],
  ["yes", true],
  ["on", true],
  ["1", true],
  ["false", false],
  ["no", false],
  ["off", false],
  ["0", false],
]);

function flagText({ rawName, value, inlineValue }: OptionToken, spec: FlagSpec): string {
  if (spec.type === "boolean") {
    if (value === undefined) return "";
    throw usageFailure(`${rawName} takes no value. Write it alone: ${rawName}`);
  }
  const placeholder = spec.value ?? "<value>";
  if (value === undefined || (value === "" && !inlineValue))
    throw usageFailure(`${rawName} needs a value: ${rawName} ${placeholder}`);
  if (!inlineValue && value.startsWith("-") && value !== "-")
    throw usageFailure(
      `${rawName} needs a value: ${rawName} ${placeholder}. One that begins with a dash is written ${rawName}=${value}`,
    );
  return value;
}

function unknownFlag(rawName: string, specs: FlagSpecs, command: string): Error {
  const names = Object.entries(specs).flatMap(([name, { isSwitch }]) => [
    `--${name}`,
    ...(isSwitch ? [`--no-${name}`] : []),
  ]);
  return usageFailure(
    `There is no flag ${rawName} of \`snapwire ${command}\`.${suggestion(rawName, names)} See: snapwire help ${command}`,
  );
}

function optionsOf(specs: FlagSpecs) {
  return Object.fromEntries(
    Object.entries(specs).map(([name, { type, multiple = false, short }]) => [
      name,
      { type, multiple, ...(short === undefined ? {} : { short }) },
    ]),
  );
}
