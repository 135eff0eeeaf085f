/** A broken invariant: always a bug in weft, never a consequence of input. */
export class AssertionFailure extends Error {
  override readonly name = "AssertionFailure";
}

/**
 * Throws when an invariant does not hold. On in production.
 * `values` are printed, so that one line of a log is enough to start from.
 */
export function assert(
  condition: boolean,
  message: string,
  values?: Readonly<Record<string, unknown>>,
): asserts condition {
  if (condition) return;
  throw new AssertionFailure(values === undefined ? message : `${message} ${JSON.stringify(values)}`);
}

/** Ends a switch over a closed union: the compiler proves that nothing arrives here. */
export function unreachable(value: never): never {
  throw new AssertionFailure(`unreachable value ${JSON.stringify(value)}`);
}
