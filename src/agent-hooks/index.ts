export { HOOK_AGENTS, HOOK_EVENTS, type HookAgent } from "./hook-table.ts";
export { HookIntake } from "./intake.ts";
export { readHook, withoutWords } from "./read-hook.ts";
