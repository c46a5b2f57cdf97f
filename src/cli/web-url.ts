/** Whether what travels to a url is safe on its way: https, or http that does not leave this machine. */
export function isWebUrl(value: string): boolean {
  if (!URL.canParse(value)) return false;
  const { protocol, hostname } = new URL(value);
  return protocol === "https:" || (protocol === "http:" && LOOPBACK.has(hostname));
}

const LOOPBACK = new Set(["localhost", "127.0.0.1", "[::1]"]);
