/**
 * server: how bytes move.
 *
 * In:       HTTP requests and WebSocket upgrades, from anybody.   Out: calls of the router, each with an identity or the
 *           reason why there is none; frames, no faster than a connection takes them.
 * Promise:  whatever comes in is answered by a typed error or a close with a code, and the process lives (P10); what one
 *           connection holds is bounded (P4); a closed one leaves nothing (P8); a drain ends in time (P14).
 * Not here: what a caller may do (router), what is sent (feed), the command line (cli).
 */
export {
  type Authenticate,
  authenticateTokens,
  type ConnectionParams,
  LOCAL_ADMIN,
} from "./auth.ts";
export { type Board, type BoardOptions, createBoard } from "./board.ts";
export { CLOSE } from "./close-codes.ts";
export type { DrainOptions } from "./drain.ts";
export { type GithubWebhooksOptions, githubWebhooks } from "./github-webhooks.ts";
export { authenticateJwt, type JwtOptions, joinAuthenticators } from "./jwt.ts";
export { DEFAULT_LIMITS, type Limits } from "./limits.ts";
export { mountSnapwire } from "./mount.ts";
export type { HostContextOptions, MountedLive, MountOptions, SnapwireMount } from "./options.ts";
export { assertSafeBind } from "./origin.ts";
export {
  joinEndpoints,
  PLAIN_ENDPOINTS,
  type PlainEndpointName,
  type PlainEndpoints,
} from "./plain/endpoint.ts";
export { DEFAULT_PLAIN, type PlainOptions, plainEndpoints } from "./plain/index.ts";
export {
  type AgentMessage,
  agentMessageSchema,
  type ClientMessage,
  clientMessageSchema,
  type HubMessage,
  hubMessageSchema,
  type Segment,
  type ServerMessage,
  segmentSchema,
  serverMessageSchema,
  type TranscriptionMessage,
  transcriptionMessageSchema,
} from "./plain/messages.ts";
export { connectionOf } from "./send-room.ts";
export { type SessionHooksOptions, sessionHooks } from "./session-hooks.ts";
export { createSnapwireServer, type SnapwireServer, type SnapwireServerOptions } from "./standalone.ts";
export { addToken, openTokenFile, readTokenFile, type TokenFileOptions } from "./token-file.ts";
export {
  adminToken,
  createToken,
  joinTokenStores,
  type TokenGrant,
  type TokenRecord,
  type TokenStore,
} from "./tokens.ts";
