/** True for `any` only: what has collapsed to it would satisfy every other check. */
export type IsAny<T> = 0 extends 1 & T ? true : false;

/** Both are the same type; `any` is the same as nothing else. */
export type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;

/** Compiles only when the type argument is exactly true. */
export function holds<_Fact extends true>(): void {}
