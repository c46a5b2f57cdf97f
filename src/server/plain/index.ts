/** The endpoints for clients without tRPC. See README.md of this room. */
import type { Logger } from "../../log.ts";
import { RightsSweep } from "../../router/rights.ts";
import type { Snapwire } from "../../snapwire.ts";
import { type AgentEndpointOptions, agentEndpoint } from "./agent.ts";
import { type ApiEndpointOptions, apiEndpoint } from "./api.ts";
import {
  PLAIN_ENDPOINTS,
  type PlainEndpointName,
  type PlainEndpoints,
  type PlainRoute,
  type PlainSocketEndpoint,
} from "./endpoint.ts";
import { hubEndpoint } from "./hub.ts";
import { relayRoutes } from "./relay.ts";
import { snapshotsEndpoint } from "./snapshots.ts";

export interface PlainOptions extends AgentEndpointOptions, ApiEndpointOptions {
  /** @defaultValue all but `api`, which takes a token in its URL */
  readonly endpoints?: readonly PlainEndpointName[];
  readonly logger?: Logger;
  /** How often the rights of live sockets are looked at again, in milliseconds. @defaultValue 60_000 */
  readonly recheckEveryMs?: number;
}

export const DEFAULT_PLAIN: readonly PlainEndpointName[] = PLAIN_ENDPOINTS.filter((name) => name !== "api");

/** For the `plain` option of a mount. */
export function plainEndpoints<Entry>(live: Snapwire<Entry>, options: PlainOptions = {}): PlainEndpoints {
  const { endpoints = DEFAULT_PLAIN, logger, recheckEveryMs } = options;
  const rights = new RightsSweep({
    ...(recheckEveryMs === undefined ? {} : { everyMs: recheckEveryMs }),
    ...(logger === undefined ? {} : { logger }),
  });
  const made: Record<PlainEndpointName, () => Made> = {
    snapshots: () => ({ sockets: [snapshotsEndpoint(live, rights)], routes: [] }),
    hub: () => ({ sockets: [hubEndpoint(live, rights)], routes: [] }),
    api: () => ({ sockets: [apiEndpoint(live, rights, options)], routes: [] }),
    agent: () => ({ sockets: [agentEndpoint(live, rights, options)], routes: relayRoutes(live, logger) }),
  };
  const all = endpoints.map((name) => made[name]());
  const stop = live.onRevoke(() => void rights.sweep());
  return {
    sockets: new Map(all.flatMap(({ sockets }) => sockets.map((one) => [one.path, one] as const))),
    routes: new Map(all.flatMap(({ routes }) => routes.map((one) => [one.path, one] as const))),
    close: stop,
  };
}

interface Made {
  readonly sockets: readonly PlainSocketEndpoint[];
  readonly routes: readonly PlainRoute[];
}
