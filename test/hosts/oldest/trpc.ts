/** tRPC 11.9.0, as a host of that age has it: its own copies, from this folder's package.json. */
export { createTRPCClient, createWSClient, wsLink } from "@trpc/client";
export { initTRPC, tracked } from "@trpc/server";
export { applyWSSHandler } from "@trpc/server/adapters/ws";
