/** `POST /transcription`, `GET /devices`, `GET /health`: the sending side of `/agent/ws`, with the answers it always had. */
import { randomUUID } from "node:crypto";
import type { ServerResponse } from "node:http";
import type { Logger } from "../../log.ts";
import { SnapwireError } from "../../protocol/errors.ts";
import { mayAct } from "../../router/identity.ts";
import type { Snapwire } from "../../snapwire.ts";
import { refuseRequest } from "../refusal.ts";
import type { PlainRoute } from "./endpoint.ts";
import { jsonOf, transcriptionRequestSchema } from "./messages.ts";

/** How long a sender waits for the ack, in milliseconds. */
const ACK_WITHIN_MS = 5_000;

export function relayRoutes<Entry>(
  live: Pick<Snapwire<Entry>, "agents">,
  logger?: Logger,
): readonly PlainRoute[] {
  return [
    {
      path: "/transcription",
      method: "POST",
      async answer({ identity, body, response }) {
        if (!identity || !mayAct(identity, "write"))
          return refuseRequest(response, { status: 403, message: "This identity may not send." });
        const parsed = transcriptionRequestSchema.safeParse(jsonOf(body)?.value);
        if (!parsed.success) {
          const [issue] = parsed.error.issues;
          const where = issue?.path.map(String).join(".") || "body";
          return badRequest(response, `${where}: ${issue?.message ?? "not as it should be"}`);
        }
        const { deviceId, text, payload, clientKey = randomUUID() } = parsed.data;
        const left = new AbortController();
        response.once("close", () => left.abort());
        try {
          const { messageId, status } = await live.agents.send({
            deviceId,
            ...(text === undefined ? {} : { text }),
            ...(payload === undefined ? {} : { payload }),
            clientKey,
            waitMs: ACK_WITHIN_MS,
            sender: identity.subject,
            signal: left.signal,
          });
          if (status === "failed" || status === "expired")
            return failure(response, "NOT_DELIVERED", `The message ended as ${status}.`);
          return json(response, 200, { success: true, messageId, queued: status !== "delivered" });
        } catch (error) {
          if (!(error instanceof SnapwireError)) {
            logger?.error({ err: error }, "a message could not be sent");
            return internal(response, 500, "Internal server error.");
          }
          if (error.reason === "invalid-input") return badRequest(response, error.message);
          const code = CODES[error.reason];
          if (code) return failure(response, code, error.message);
          return internal(response, error.reason === "unavailable" ? 503 : 500, error.message);
        }
      },
    },
    {
      path: "/devices",
      method: "GET",
      answer({ identity, response }) {
        if (!identity || !mayAct(identity, "read"))
          return refuseRequest(response, { status: 403, message: "This identity may not see the devices." });
        return json(response, 200, { success: true, devices: live.agents.devices() });
      },
    },
    {
      path: "/health",
      method: "GET",
      isPublic: true,
      answer: ({ response }) => json(response, 200, { status: "ok", timestamp: new Date().toISOString() }),
    },
  ];
}

const CODES: Partial<Record<SnapwireError["reason"], string>> = {
  "queue-full": "QUEUE_FULL",
  "too-many-devices": "QUEUE_FULL",
  "invalid-device-id": "INVALID_DEVICE_ID",
};

function badRequest(response: ServerResponse, message: string): void {
  json(response, 400, { statusCode: 400, error: "Bad Request", message });
}

function internal(response: ServerResponse, status: number, message: string): void {
  json(response, status, { success: false, error: { code: "INTERNAL_ERROR", message } });
}

function failure(response: ServerResponse, code: string, message: string): void {
  json(response, 200, { success: false, error: { code, message } });
}

function json(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { "content-type": "application/json", "cache-control": "no-store" });
  response.end(JSON.stringify(body));
}
