/** Urls, as people write them where they belong and where they do not. */

/** Begins like one of a server: where a name or a command is asked for, hardly meant as that. */
export function isServerUrl(word: string): boolean {
  return /^(https?|wss?):\/\//i.test(word);
}

/** Whether what travels to a url is safe on its way: https, or http that does not leave this machine. */
export function isWebUrl(value: string): boolean {
  if (!URL.canParse(value)) return false;
  const { protocol, hostname } = new URL(value);
  return protocol === "https:" || (protocol === "http:" && LOOPBACK.has(hostname));
}

const LOOPBACK = new Set(["localhost", "127.0.0.1", "[::1]"]);
