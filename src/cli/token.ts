/** `snapwire token create` and `token list`: who may connect. */
import { existsSync } from "node:fs";
import { SnapwireError } from "../protocol/errors.ts";
import { ROLES, type Role } from "../router/identity.ts";
import { addToken, createToken, readTokenFile, type TokenRecord } from "../server/index.ts";
import type { ParsedArguments } from "./arguments.ts";
import type { Command, Invocation } from "./command.ts";
import { CliFailure, EXIT, type ExitCode, usageFailure } from "./exit-codes.ts";
import { type CliIo, say } from "./io.ts";
import { suggestion } from "./nearest.ts";
import { jsonLine, safeText } from "./safe-text.ts";
import { defaultTokenFile } from "./tokens-in-force.ts";

const MEANING: Readonly<Record<Role, string>> = {
  viewer: "sees",
  publisher: "sees and sets",
  agent: "reports in as one device",
  admin: "may do everything",
};

const EXAMPLE = "snapwire token create --role viewer --project app";

export const tokenCreateCommand: Command = {
  name: "token create",
  summary: "Make a token and keep its digest in the token file",
  synopsis: "--role <role> --project <id>... [flags]",
  maxArguments: 0,
  settings: ["tokens"],
  flags: {
    role: {
      type: "string",
      value: "<role>",
      help: ROLES.map((role) => `${role} (${MEANING[role]})`).join(", "),
    },
    project: {
      type: "string",
      multiple: true,
      value: "<id>",
      help: "a project that it is for, or '*' for all; may be repeated (an admin's default is '*')",
    },
    projects: { type: "string", multiple: true, value: "<id>", help: "the same as --project" },
    device: { type: "string", value: "<id>", help: "the device of an agent" },
    name: { type: "string", value: "<text>", help: "what logs call it (default: made from its digest)" },
    json: { type: "boolean", help: "print it as JSON" },
  },
  notes: [
    "The token is shown once and cannot be had again. A running server that already asks for tokens takes",
    "a new one within a second; one that was started without any has to be started again.",
  ],
  examples: [
    EXAMPLE,
    "snapwire token create --role publisher --project app --project site",
    "snapwire token create --role agent --project app --device laptop",
    "snapwire token create --role admin",
  ],
  defaults: tokenDefaults,
  run: create,
};

export const tokenListCommand: Command = {
  name: "token list",
  summary: "List the tokens of the token file (never the tokens themselves)",
  synopsis: "[flags]",
  maxArguments: 0,
  settings: ["tokens"],
  flags: { json: { type: "boolean", help: "print them as JSON" } },
  examples: ["snapwire token list"],
  defaults: tokenDefaults,
  run: list,
};

function tokenDefaults(io: CliIo) {
  const tokens = defaultTokenFile(io.env);
  return tokens === undefined ? {} : { tokens };
}

async function create({ io, args, config }: Invocation): Promise<ExitCode> {
  const file = fileOf(config.values.tokens);
  const role = roleOf(args.text("role"));
  const projects = projectsOf(role, args);
  const deviceId = deviceOf(role, args.text("device"));
  const subject = args.text("name");
  const { token, record } = made(() =>
    createToken({ role, projects, ...(deviceId && { deviceId }), ...(subject && { subject }) }),
  );
  kept(file, () => addToken(file, record));
  if (args.has("json")) {
    const { digest: _digest, ...shown } = record;
    say(io.stdout, jsonLine({ token, ...shown, file }));
    return EXIT.ok;
  }
  const lines = [
    token,
    "",
    `This is shown once. It is ${describe(record)}.`,
    `Its digest is in ${safeText(file)}, under the name ${safeText(record.subject)}.`,
    "Use it: SNAPWIRE_TOKEN=<token> npx snapwire watch. A server that was started without any token: start it again.",
  ];
  for (const line of lines) say(io.stdout, line);
  return EXIT.ok;
}

async function list({ io, args, config }: Invocation): Promise<ExitCode> {
  const file = fileOf(config.values.tokens);
  const isDefault = config.origins.tokens === "default";
  const records = isDefault && !existsSync(file) ? [] : readTokenFile(file);
  if (args.has("json")) {
    for (const { digest: _digest, ...shown } of records) say(io.stdout, jsonLine(shown));
    return EXIT.ok;
  }
  if (records.length === 0) say(io.stdout, `No tokens in ${safeText(file)}. Make one: ${EXAMPLE}`);
  for (const record of records)
    say(io.stdout, `${safeText(record.subject)}   ${describe(record)}   made ${safeText(record.createdAt)}`);
  return EXIT.ok;
}

function describe({ role, projects, deviceId }: TokenRecord): string {
  const where = projects === "*" ? "all projects" : projects.map(safeText).join(", ");
  return `${role} of ${where}${deviceId === undefined ? "" : `, on the device ${safeText(deviceId)}`}`;
}

function fileOf(file: string | undefined): string {
  if (file !== undefined) return file;
  throw usageFailure("There is no home folder to keep tokens in. Name a file: --tokens <file>");
}

function roleOf(role: string | undefined): Role {
  const known = ROLES.find((one) => one === role);
  if (known) return known;
  const roles = ROLES.join(", ");
  if (role === undefined) throw usageFailure(`Which role? One of ${roles}. Write: ${EXAMPLE}`);
  throw usageFailure(`There is no role "${role}".${suggestion(role, ROLES)} Roles: ${roles}.`);
}

function projectsOf(role: Role, args: ParsedArguments): readonly string[] | "*" {
  const projects = [...new Set([...args.texts("project"), ...args.texts("projects")])];
  if (projects.includes("*") || (projects.length === 0 && role === "admin")) return "*";
  if (projects.length > 0) return projects;
  throw usageFailure(`Which projects is it for? Write: --project <id>, or --project '*' for all.`);
}

function deviceOf(role: Role, device: string | undefined): string | undefined {
  if (role === "agent" && device === undefined)
    throw usageFailure("An agent's token is bound to its device. Write: --device <id>");
  if (role !== "agent" && device !== undefined)
    throw usageFailure(`Only an agent is bound to a device. Leave --device out, or write --role agent.`);
  return device;
}

/** What the system does not let us write is the person's to mend. */
function kept(file: string, keep: () => void): void {
  try {
    keep();
  } catch (error) {
    if (error instanceof SnapwireError) throw error;
    const why = error instanceof Error ? error.message : String(error);
    throw new CliFailure(
      EXIT.failure,
      `The token file ${safeText(file)} cannot be written (${safeText(why)}). Name another: --tokens <file>`,
      { cause: error },
    );
  }
}

/** A grant that makes no sense is a matter of the command line. */
function made<T>(make: () => T): T {
  try {
    return make();
  } catch (error) {
    if (error instanceof SnapwireError) throw usageFailure(error.message);
    throw error;
  }
}
