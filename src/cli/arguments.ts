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
    const spec = Object.hasOwn(specs, token.name) ? specs[token.name] : undefined;
    if (!spec) throw unknownFlag(token.rawName, specs, command);
    const values = given.get(token.name) ?? [];
    values.push(flagText(token, spec));
    given.set(token.name, values);
  }
  return {
    positionals,
    text: (name) => given.get(name)?.at(-1),
    texts: (name) => given.get(name) ?? [],
    has: (name) => given.has(name),
  };
}

interface OptionToken {
  readonly rawName: string;
  readonly value: string | undefined;
  readonly inlineValue: boolean | undefined;
}

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
  const names = Object.keys(specs).map((name) => `--${name}`);
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
