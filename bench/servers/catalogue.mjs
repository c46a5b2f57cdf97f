/**
 * Every server that is measured: its module, how a client speaks to it, and what it is called.
 *
 * `slow`: one round, and never 5,000 subscribers. `burstsUpTo`: with more subscribers, 16 changes take it seconds.
 */
export const SERVERS = {
  snapwire: {
    title: "**Snapwire**",
    module: "snapwire",
    client: { protocol: "trpc", path: "/trpc", procedure: "snapshots.onProject" },
    ours: true,
  },
  "snapwire-stock": {
    title: "Snapwire by tRPC's own adapter",
    module: "snapwire",
    options: { stock: true },
    client: { protocol: "trpc", path: "/", procedure: "snapshots.onProject" },
    ours: true,
    burstsUpTo: 1_000,
  },
  "snapwire-sse": {
    title: "Snapwire by SSE",
    module: "snapwire",
    client: { protocol: "sse", path: "/trpc", procedure: "snapshots.onProject" },
    ours: true,
    slow: true,
    burstsUpTo: 100,
  },
  trpc: {
    title: "tRPC as its docs show it",
    module: "naive-trpc",
    client: { protocol: "trpc", path: "/", procedure: "onChange" },
    burstsUpTo: 1_000,
  },
  "trpc-sse": {
    title: "tRPC as its docs show it, SSE",
    module: "naive-trpc",
    options: { sse: true },
    client: { protocol: "sse", path: "/trpc", procedure: "onChange" },
    slow: true,
    burstsUpTo: 100,
  },
  "graphql-ws": {
    title: "graphql-ws",
    module: "graphql-ws",
    client: { protocol: "graphql-ws", path: "/" },
    burstsUpTo: 1_000,
  },
  "socket.io": {
    title: "Socket.IO, one room",
    module: "socket-io",
    client: { protocol: "socket.io", path: "/socket.io/?EIO=4&transport=websocket" },
  },
  ws: {
    title: "raw `ws`, text made once",
    module: "raw-ws",
    client: { protocol: "ws", path: "/" },
  },
  "ws-corked": {
    title: "raw `ws`, one write per turn",
    module: "raw-ws",
    options: { corked: true },
    client: { protocol: "ws", path: "/" },
  },
  net: {
    title: "Node `net`, a ready buffer",
    module: "net",
    client: { protocol: "net", path: "/" },
  },
};

export const ALL_SERVERS = Object.keys(SERVERS);
