/** What an endpoint for clients without tRPC tells the mount about itself. */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Identity } from "../../router/identity.ts";
import type { Refusal } from "../refusal.ts";
import type { PlainSocket } from "./plain-socket.ts";

export const PLAIN_ENDPOINTS = ["snapshots", "hub", "api", "agent"] as const;
export type PlainEndpointName = (typeof PLAIN_ENDPOINTS)[number];

/** When a silent peer is given up. */
interface PlainHeartbeat {
  readonly pingEveryMs: number;
  readonly pongWithinMs: number;
  /** Pings without a sign of life until it is ended. @defaultValue 1 */
  readonly misses?: number;
  /** Sent in place of a protocol ping. */
  readonly text?: string;
}

export interface PlainSocketEndpoint {
  readonly path: string;
  readonly maxPayloadBytes: number;
  readonly heartbeat: PlainHeartbeat;
  /** Takes its token from the URL, and tells a refused identity after the 101, by a close with this code. */
  readonly refusedWith?: { readonly code: number; readonly reason: string };
  /** What the path needs and does not get, answered before the 101. */
  refuse(query: URLSearchParams, identity: Identity | null): Refusal | undefined;
  /** In the turn of the 101. */
  serve(socket: PlainSocket): void;
}

export interface PlainRoute {
  readonly path: string;
  readonly method: "GET" | "POST";
  /** Whether anybody may ask. */
  readonly isPublic?: boolean;
  /** The body proves who sent it: no Origin and no identity is asked for. */
  readonly isSigned?: boolean;
  /** @defaultValue the limit of a body of the mount */
  readonly maxBodyBytes?: number;
  /** @param body - Read whole, below the limit of a body. */
  answer(asked: {
    readonly identity: Identity | null;
    readonly body: string;
    readonly request: IncomingMessage;
    readonly response: ServerResponse;
  }): Promise<void> | void;
}

/** What {@link plainEndpoints} makes and a mount takes. */
export interface PlainEndpoints {
  readonly sockets: ReadonlyMap<string, PlainSocketEndpoint>;
  readonly routes: ReadonlyMap<string, PlainRoute>;
  close(): void;
}

/** Several sets of endpoints as one; a path belongs to the first that has it. */
export function joinEndpoints(...all: readonly PlainEndpoints[]): PlainEndpoints {
  const later = [...all].reverse();
  return {
    sockets: new Map(later.flatMap(({ sockets }) => [...sockets])),
    routes: new Map(later.flatMap(({ routes }) => [...routes])),
    close: () => {
      for (const one of all) one.close();
    },
  };
}
