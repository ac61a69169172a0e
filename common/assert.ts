/** A broken invariant: a bug of this program, never of its input. Whoever catches one ends the process. */
export class AssertionError extends Error {
  override readonly name = "AssertionError";
}

/** `because` is a function where its text costs something to make. */
export function assert(condition: unknown, because: string | (() => string)): asserts condition {
  if (!condition) throw new AssertionError(typeof because === "string" ? because : because());
}
