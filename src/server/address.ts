/** Addresses and names of hosts: which of them stay on this machine. */

const LOOPBACK_NAMES: readonly string[] = ["localhost", "127.0.0.1", "[::1]"];

/** A bind host or a remote address that cannot be reached from another machine. */
export function isLoopback(address: string): boolean {
  const plain = address.replace(/^\[|\]$/g, "").replace(/^::ffff:/i, "");
  return plain === "localhost" || plain === "::1" || /^127(\.\d{1,3}){3}$/.test(plain);
}

/** Reads a Host header; `undefined` when it is not a name or address with an optional port. */
export function parseHost(header: string | undefined): URL | undefined {
  if (header === undefined || !/^(\[[0-9a-f:.]+\]|[^\s/@?#\\:[\]]+)(:\d{1,5})?$/i.test(header))
    return undefined;
  try {
    return new URL(`http://${header}`);
  } catch {
    return undefined;
  }
}

/** Whether a Host header names this machine (any port), or one that is listed as `name` or `name:port`. */
export function isNamed(host: URL, header: string, allowed: readonly string[]): boolean {
  const asked = header.toLowerCase();
  return (
    LOOPBACK_NAMES.includes(host.hostname) ||
    allowed.some((one) => one.toLowerCase() === asked || one.toLowerCase() === host.hostname)
  );
}
