/** The command as it is started: hooks go to their own small file, since an agent waits for them; all else to the rest. */
const [, , command = "", ...words] = process.argv;
const isHook =
  command === "hook" &&
  words[0]?.startsWith("-") &&
  !words.some((word) => /^(--help|-h|--print-config)$/.test(word));
await import(new URL(isHook ? "./snapwire-hook.mjs" : "./snapwire-main.mjs", import.meta.url).href);
