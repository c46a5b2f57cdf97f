/** The command as it is started: hooks go to their own small file, since an agent waits for them; all else to the rest. */
const [, , command = "", next = ""] = process.argv;
const isHook = command === "hook" && next.startsWith("-") && !/^(--help|-h|--print-config)$/.test(next);
await import(new URL(isHook ? "./snapwire-hook.mjs" : "./snapwire-main.mjs", import.meta.url).href);
