/** `owner/name` in lower case, from any form in which a remote is written; `undefined` for what is none. */
export function repositoryName(remote: string): string | undefined {
  const text = remote.trim();
  const scp = /^(?:[^@/\s]+@)?[^:/\s]+:(?!\/\/)(.+)$/.exec(text)?.[1]; // git@github.com:owner/name.git
  const path = scp ?? pathOf(text);
  const match = /^\/*(\w[\w.-]*)\/([\w.-]+?)(?:\.git)?\/*$/.exec(path ?? "");
  const [, owner, name] = match ?? [];
  return owner === undefined || name === undefined ? undefined : `${owner}/${name}`.toLowerCase();
}

function pathOf(text: string): string | undefined {
  if (/^\w[\w.-]*\/[\w.-]+$/.test(text)) return text; // already a name
  try {
    const { protocol, pathname } = new URL(text);
    return /^(https?|ssh|git|git\+ssh):$/.test(protocol) ? pathname : undefined;
  } catch {
    return undefined;
  }
}
