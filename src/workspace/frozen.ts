/**
 * A deeply frozen value in plain JSON: the same reference when it is one already, else a copy in which keys without a
 * value are left out. What is handed out is never the caller's object, and what the caller does later changes nothing.
 */
export function frozenCopy<Value>(value: Value): Value {
  return (isDeeplyFrozen(value) ? value : copy(value)) as Value;
}

function isDeeplyFrozen(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return value !== undefined;
  return Object.isFrozen(value) && Object.values(value).every(isDeeplyFrozen);
}

function copy(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return Object.freeze(value.map(copy));
  const kept = Object.entries(value).filter(([, part]) => part !== undefined);
  return Object.freeze(Object.fromEntries(kept.map(([key, part]) => [key, copy(part)])));
}
