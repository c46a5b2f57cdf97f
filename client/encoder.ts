/**
 * JSON in, JSON out. tRPC's own decoder throws at a frame that is not JSON, outside of every callback: in Node one bad
 * frame from the network would end the process. Here it becomes a message that belongs to no request.
 */
const NOBODYS = { id: "unreadable", result: { type: "stopped" } } as const;

export const guardedEncoder = {
  encode: (data: unknown): string => JSON.stringify(data),
  decode: (data: unknown): unknown => {
    if (typeof data !== "string") return NOBODYS;
    try {
      const message: unknown = JSON.parse(data);
      return typeof message === "object" && message !== null && !Array.isArray(message) ? message : NOBODYS;
    } catch {
      return NOBODYS;
    }
  },
};
