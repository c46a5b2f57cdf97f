/** The codes with which the server closes a WebSocket. tRPC's client retries after all of them. */
export const CLOSE = {
  /** All has been said. */
  done: 1000,
  /** The server goes away; sockets elsewhere are welcome. */
  goingAway: 1001,
  /** The client broke a bound. (1007 bad UTF-8 and 1009 oversized come from `ws` itself.) */
  policy: 1008,
  /** The server failed. */
  internal: 1011,
  /** This node cannot serve now: try another, or later. */
  tryAgainLater: 1013,
  /** On `/agent/ws`: the device has a connection already, or cannot be registered; the reason says which. */
  registration: 4000,
  /** On the plain endpoints: the token is not valid, or its rights have ended. */
  unauthorized: 4001,
  /** The URL promised connection parameters, and the first frame holds none. */
  badParams: 4400,
  /** The URL promised connection parameters, and none came in time. */
  paramsTimeout: 4408,
} as const;
