/** What a command is. `cli.ts` runs it, `usage.ts` describes it. */
import type { FlagSpecs, ParsedArguments } from "./arguments.ts";
import type { LoadedConfig } from "./config.ts";
import type { ExitCode } from "./exit-codes.ts";
import type { CliIo } from "./io.ts";
import type { SettingKey, Settings } from "./settings.ts";

export interface Invocation {
  readonly io: CliIo;
  readonly args: ParsedArguments;
  readonly config: LoadedConfig;
  /** Aborted when nobody reads stdout any more. */
  readonly outputGone: AbortSignal;
}

export interface Command {
  /** `serve`, or two words: `token create`. */
  readonly name: string;
  /** One line. */
  readonly summary: string;
  /** What stands after the name: `<workspaceId> --set key=value...`. */
  readonly synopsis: string;
  /** How many arguments it takes, flags not counted. */
  readonly maxArguments: number;
  /** The settings that the arguments are, by their places; undefined where one is none. */
  readonly arguments?: readonly (SettingKey | undefined)[];
  readonly settings: readonly SettingKey[];
  /** Those of the settings that have no flag here, since the list of processes shows flags to everybody; and their help. */
  readonly withoutFlag?: Partial<Record<SettingKey, string>>;
  readonly flags: FlagSpecs;
  /** What more there is to know; lines. */
  readonly notes?: readonly string[];
  readonly examples: readonly string[];
  /** Its stderr is a log: it says by itself what `config.warnings` holds. */
  readonly logs?: boolean;
  /** Settings that depend on where the command runs. */
  defaults(io: CliIo): Partial<Settings>;
  /** Answers one of {@link ExitCode}, or what a command that it ran ended with. */
  run(invocation: Invocation): Promise<number>;
}
