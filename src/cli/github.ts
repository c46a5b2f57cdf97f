/** `snapwire github`: how to let GitHub speak to a server, and what it has said. */
import { randomBytes } from "node:crypto";
import { GITHUB_EVENTS } from "../github/index.ts";
import type { Command, Invocation } from "./command.ts";
import { CliFailure, EXIT, type ExitCode } from "./exit-codes.ts";
import { say } from "./io.ts";
import { createRemote, endpointOf, remoteFailure } from "./remote.ts";
import { jsonLine, safeText } from "./safe-text.ts";
import { pad, widthOf } from "./text-width.ts";

const PATH = "/webhooks/github";

export const githubCommand: Command = {
  name: "github",
  summary: "Say how GitHub's webhooks are set up, with a new secret",
  synopsis: "[url] [flags]",
  maxArguments: 1,
  arguments: ["url"],
  settings: ["url"],
  flags: { json: { type: "boolean", help: "print it as JSON" } },
  notes: [
    "The url is where GitHub reaches the server: a public name, or that of a tunnel. Nothing is asked or changed.",
    "What arrived, and what it did: snapwire github deliveries",
  ],
  examples: ["snapwire github https://board.example.com"],
  defaults: () => ({ url: "http://127.0.0.1:4747" }),
  run: setUp,
};

export const githubDeliveriesCommand: Command = {
  name: "github deliveries",
  summary: "Show the last deliveries of GitHub's webhooks, and what each did",
  synopsis: "[url] [flags]",
  maxArguments: 1,
  arguments: ["url"],
  settings: ["url", "token"],
  flags: { json: { type: "boolean", help: "print the server's answer as JSON" } },
  notes: ["For admin tokens. The list is of the server's memory, and ends with it."],
  examples: ["snapwire github deliveries"],
  defaults: () => ({ url: "http://127.0.0.1:4747" }),
  run: deliveries,
};

function setUp({ io, args, config }: Invocation): Promise<ExitCode> {
  const { origin } = endpointOf(config.values.url ?? "");
  const url = `${origin}${PATH}`;
  const secret = randomBytes(32).toString("base64url");
  if (args.has("json")) {
    say(io.stdout, jsonLine({ secret, url, contentType: "application/json", events: GITHUB_EVENTS }));
    return Promise.resolve(EXIT.ok);
  }
  const isNear = /^https?:\/\/(localhost|127\.0\.0\.1|\[::1\])(:|$)/.test(origin);
  const lines = [
    "In the repository on GitHub: Settings, Webhooks, Add webhook.",
    "",
    `  Payload URL    ${safeText(url)}`,
    "  Content type   application/json",
    `  Secret         ${secret}`,
    `  Events         ${GITHUB_EVENTS.filter((event) => event !== "ping").join(", ")}`,
    "",
    "Then start the server with the same secret (while it is changed, with both: new,old):",
    "",
    `  SNAPWIRE_GITHUB_SECRET=${secret} npx snapwire`,
    "",
    ...(isNear
      ? [
          "GitHub cannot reach this machine by that url. Give a public name or that of a tunnel instead, as in",
          "snapwire github https://board.example.com, and let the server take it: --allow-host board.example.com.",
          "Where nothing may come in, ask GitHub now and then: --github-poll 60s, with SNAPWIRE_GITHUB_TOKEN.",
        ]
      : []),
    "A repository is found by its remote `origin`; others are named: --github owner/name=project.",
    "What arrived: snapwire github deliveries",
  ];
  for (const line of lines) say(io.stdout, line);
  return Promise.resolve(EXIT.ok);
}

async function deliveries({ io, args, config }: Invocation): Promise<ExitCode> {
  const { url = "", token } = config.values;
  const endpoint = endpointOf(url);
  const report = await createRemote(endpoint, token, io.signal)
    .github.deliveries.query()
    .catch((error: unknown) => {
      throw remoteFailure(error, endpoint);
    });
  if (args.has("json")) {
    say(io.stdout, jsonLine(report));
    return EXIT.ok;
  }
  if (!report) throw new CliFailure(EXIT.failure, "That server listens to no repository on GitHub.");
  const known = report.repositories.map(({ repository, projectId }) => `${repository} (${projectId})`);
  say(io.stdout, `Repositories: ${known.length === 0 ? "none" : known.map(safeText).join(", ")}`);
  if (report.deliveries.length === 0)
    say(io.stdout, "Nothing has arrived since the server was started. How to set it up: snapwire github");
  const rows = report.deliveries.map(({ at, event, repository, outcome, id }) =>
    [at, event, repository ?? "-", MEANING[outcome], id].map(safeText),
  );
  const widths = [0, 1, 2, 3].map((column) => Math.max(0, ...rows.map((row) => widthOf(row[column] ?? ""))));
  for (const row of rows)
    say(io.stdout, row.map((cell, column) => pad(cell, widths[column] ?? 0)).join("  "));
  return EXIT.ok;
}

const MEANING = {
  changed: "said something new",
  unchanged: "said nothing new",
  duplicate: "had arrived before",
  "unknown-repository": "belongs to no project: --github owner/name=project",
  ignored: "is not listened to",
  invalid: "could not be read",
  "not-stored": "was not stored: redeliver it",
} as const;
