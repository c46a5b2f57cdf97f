/**
 * One POST to a server on this machine, over a bare socket: handed to the kernel and left there. Never throws, and never
 * waits for a server that is slow, full, hanging or not there. Without any package.
 */
import { connect } from "node:net";

/** For the connection and for the bytes to leave this process, in milliseconds. */
const SEND_MS = 25;
/** After that, for the server to take notice; a server that is well does so at once. */
const LINGER_MS = 4;

export interface HookTarget {
  readonly host: string;
  readonly port: number;
  /** As it stands in the header `Host`. */
  readonly authority: string;
  readonly path: string;
}

/** Undefined: not a url of this machine, over http. A token is not carried elsewhere. */
export function hookTarget(url: string): HookTarget | undefined {
  if (!URL.canParse(url)) return undefined;
  const { protocol, hostname, port, host, pathname } = new URL(url);
  const address = LOOPBACK[hostname];
  if (protocol !== "http:" || address === undefined) return undefined;
  const path = `${pathname.replace(/\/+$/, "").replace(/\/trpc$/, "")}/hooks/session`;
  return { host: address, port: port === "" ? 80 : Number(port), authority: host, path };
}

/** Names of this machine, and what they are: to look one up takes longer than to send. */
const LOOPBACK: Readonly<Record<string, string>> = {
  localhost: "127.0.0.1",
  "127.0.0.1": "127.0.0.1",
  "[::1]": "::1",
};

/** Resolves when the bytes are on their way, or never will be. */
export function sendHook(target: HookTarget, body: string, token: string | undefined): Promise<void> {
  const head = [
    `POST ${target.path} HTTP/1.1`,
    `Host: ${target.authority}`,
    "Content-Type: application/json",
    `Content-Length: ${Buffer.byteLength(body)}`,
    ...(token === undefined ? [] : [`Authorization: Bearer ${token}`]),
    "Connection: close",
  ];
  return new Promise((resolve) => {
    const socket = connect({ host: target.host, port: target.port, noDelay: true });
    let timer = setTimeout(resolve, SEND_MS);
    const done = (): void => {
      clearTimeout(timer);
      resolve();
    };
    socket.on("error", done);
    socket.on("close", done);
    socket.on("data", done);
    socket.write(`${head.join("\r\n")}\r\n\r\n${body}`, () => {
      clearTimeout(timer);
      timer = setTimeout(resolve, LINGER_MS);
    });
  });
}
