/**
 * `POST /webhooks/github`: deliveries of GitHub, signed with a secret over the raw body. Answered as soon as what they say
 * is stored; a refusal never says more than its status.
 */
import { verify } from "@octokit/webhooks-methods";
import type { Github } from "../github/index.ts";
import type { Logger } from "../log.ts";
import { SnapwireError } from "../protocol/errors.ts";
import type { PlainEndpoints, PlainRoute } from "./plain/endpoint.ts";
import { refuseRequest } from "./refusal.ts";

export interface GithubWebhooksOptions {
  readonly github: Pick<Github, "deliver">;
  /** One, or two while it is being rotated. At least 16 characters each. */
  readonly secrets: readonly string[];
  readonly logger?: Logger;
  /** @defaultValue `/webhooks/github` */
  readonly path?: string;
}

export interface WebhookCounts {
  /** Not signed with any of our secrets. */
  refused: number;
  /** Signed, and no JSON. */
  unreadable: number;
  accepted: number;
  /** The journal could not take it: GitHub shows it as failed, and it can be sent again from there. */
  failed: number;
}

/** As GitHub's own. */
const MAX_BODY_BYTES = 25 * 1024 * 1024;
const SHORTEST_SECRET = 16;

/** @throws SnapwireError `invalid-input` for a secret that could be guessed. */
export function githubWebhooks(
  options: GithubWebhooksOptions,
): PlainEndpoints & { readonly counts: WebhookCounts } {
  const { github, secrets, logger, path = "/webhooks/github" } = options;
  if (secrets.length === 0 || secrets.some((secret) => secret.length < SHORTEST_SECRET)) {
    throw new SnapwireError(
      "invalid-input",
      `A webhook secret must have ${SHORTEST_SECRET} characters or more; \`snapwire github\` makes one.`,
    );
  }
  const counts: WebhookCounts = { refused: 0, unreadable: 0, accepted: 0, failed: 0 };

  const isSigned = async (body: string, signature: string): Promise<boolean> => {
    let signed = false;
    // Every secret is tried: how long it takes tells nothing of which one it was.
    for (const secret of secrets) if (await verify(secret, body, signature).catch(() => false)) signed = true;
    return signed;
  };

  const route: PlainRoute = {
    path,
    method: "POST",
    isPublic: true,
    isSigned: true,
    maxBodyBytes: MAX_BODY_BYTES,
    async answer({ request, response, body }) {
      const header = (name: string): string => {
        const value = request.headers[name];
        return typeof value === "string" && value.length <= 256 ? value : "";
      };
      const [signature, id, event] = [
        header("x-hub-signature-256"),
        header("x-github-delivery"),
        header("x-github-event"),
      ];
      if (
        signature === "" ||
        id === "" ||
        event === "" ||
        body === "" ||
        !(await isSigned(body, signature))
      ) {
        counts.refused += 1;
        logger?.info({ address: request.socket.remoteAddress }, "a webhook delivery was refused");
        refuseRequest(response, { status: 401, message: "The signature does not fit." });
        return;
      }
      let payload: unknown;
      try {
        payload = JSON.parse(body);
      } catch {
        counts.unreadable += 1;
        refuseRequest(response, {
          status: 400,
          message: "The body is no JSON: set the content type to application/json.",
        });
        return;
      }
      try {
        const outcome = await github.deliver({ id, event, payload });
        counts.accepted += 1;
        response.writeHead(202, { "content-type": "application/json", "cache-control": "no-store" });
        response.end(JSON.stringify({ outcome }));
      } catch (error) {
        counts.failed += 1;
        logger?.warn({ id, event, error }, "a webhook delivery was not stored");
        refuseRequest(response, { status: 503, message: "Not stored; redeliver it later." });
      }
    },
  };
  return { sockets: new Map(), routes: new Map([[path, route]]), close: () => undefined, counts };
}
