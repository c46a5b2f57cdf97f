/** Help, made from the commands themselves, so that it cannot say anything else than they do. */
import type { FlagSpec, FlagSpecs } from "./arguments.ts";
import type { Command } from "./command.ts";
import { SETTINGS } from "./settings.ts";

const COMMON_FLAGS: FlagSpecs = {
  help: { type: "boolean", short: "h", help: "this text" },
};

const CONFIG_FLAGS: FlagSpecs = {
  config: { type: "string", value: "<file>", help: "read settings from a JSON file" },
  "print-config": { type: "boolean", help: "print the settings and where each comes from, and end" },
};

/** Every flag of a command: its own, those of its settings, and those that all have. */
export function flagsOf(command: Command): FlagSpecs {
  const specs: Record<string, FlagSpec> = {};
  for (const key of command.settings) {
    if (command.withoutFlag?.[key] !== undefined) continue;
    const { flag, kind, value, help } = SETTINGS[key];
    if (flag !== undefined)
      specs[flag] =
        kind === "switch"
          ? { type: "boolean", isSwitch: true, help }
          : { type: "string", multiple: kind === "list", help, ...(value && { value }) };
  }
  const configurable = command.settings.length > 0 ? CONFIG_FLAGS : {};
  return { ...specs, ...command.flags, ...configurable, ...COMMON_FLAGS };
}

export function helpFor(command: Command): string {
  const specs = flagsOf(command);
  const settings = new Map(command.settings.map((key) => [SETTINGS[key].flag, key]));
  const flags = Object.entries(specs).map(([name, { short, value, help, isSwitch }]): [string, string] => {
    const key = settings.get(name);
    const isOn = key !== undefined && SETTINGS[key].isOn === true;
    const written = isOn ? `--no-${name}` : `--${name}`;
    const left = `${short === undefined ? "" : `-${short}, `}${written}${value === undefined ? "" : ` ${value}`}`;
    const more = isSwitch ? `; ${isOn ? `--${name}` : `--no-${name}`} is the opposite` : "";
    return [left, key === undefined ? help : `${help}${more} [${SETTINGS[key].env}]`];
  });
  return [
    `${command.summary}`,
    "",
    `Usage: ${["snapwire", command.name, command.synopsis].filter((part) => part !== "").join(" ")}`,
    "",
    ...columns([...flags, ...environmentOnly(command)]),
    ...section(command.notes ?? []),
    ...section(["Examples:", ...command.examples.map((example) => `  ${example}`)]),
  ].join("\n");
}

export function overview(commands: readonly Command[]): string {
  return [
    "Live project state: one snapshot, then ordered changes.",
    "",
    "Usage: snapwire [command] [flags]",
    "",
    ...columns(
      commands.map(({ name, summary }): [string, string] => [
        name,
        name === "serve" ? `${summary} (the default)` : summary,
      ]),
    ),
    ...columns([
      ["help [command]", "what a command does, and its flags"],
      ["--version", "the version"],
    ]),
    "",
    "Exit codes: 0 well, 1 failed, 2 wrong usage, 3 cannot connect, 4 denied, 130 interrupted",
  ].join("\n");
}

function section(lines: readonly string[]): string[] {
  return lines.length === 0 ? [] : ["", ...lines];
}

function environmentOnly({ settings, withoutFlag = {} }: Command): [string, string][] {
  return settings.flatMap((key): [string, string][] => {
    const help = withoutFlag[key];
    return help === undefined ? [] : [[SETTINGS[key].env, help]];
  });
}

const LEFT = 24;

function columns(rows: readonly (readonly [string, string])[]): string[] {
  return rows.map(([left, right]) =>
    left.length < LEFT ? `  ${left.padEnd(LEFT)}${right}` : `  ${left}\n  ${" ".repeat(LEFT)}${right}`,
  );
}
