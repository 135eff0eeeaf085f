/**
 * A checker of linearizability: whether the calls of several clients, with their overlaps, could have happened one after another
 * in an order that keeps real time and that a sequential specification allows. The search is Wing and Gong's ("Testing and
 * verifying concurrent objects", 1993) with Lowe's memory of configurations ("Testing for linearizability", 2017): a set of
 * calls already ordered together with a state is looked at once. It knows nothing of the store.
 */

/** One call of one client. Times are any numbers that grow with real time; calls that touch at one instant overlap. */
export interface Operation<I, O> {
  readonly client: number;
  readonly call: number;
  /** When it came back; infinity when it never did, or did without saying what happened: it may take effect at any time, or never. */
  readonly back: number;
  readonly input: I;
  /** What it said; undefined when that is not known. */
  readonly output: O | undefined;
  /** It may also not have happened. What never came back need not say so. */
  readonly isOptional?: boolean;
}

/** What an object does when it is asked one thing at a time. States are values and never changed. */
export interface Spec<S, I, O> {
  readonly initial: S;
  /**
   * The states after an operation with this output, none when it cannot have this output here. For an unknown output: every state
   * that it may lead to.
   */
  step(state: S, operation: Operation<I, O>): readonly S[];
  /** It changes no state, wherever it is ordered: a read, a refusal. */
  changesNothing(operation: Operation<I, O>): boolean;
  /** Equal only for operations that `step` treats alike, their outputs aside. */
  sameAs(operation: Operation<I, O>): string;
  /** Equal exactly for equal states. */
  key(state: S): string;
}

/**
 * `linearizable` with one order that explains the history; `not-linearizable` with the longest order that explains a beginning of
 * it; `undecided` when the search was given up.
 */
export type Verdict<I, O> =
  | { readonly kind: "linearizable"; readonly order: readonly Operation<I, O>[] }
  | { readonly kind: "not-linearizable"; readonly longest: readonly Operation<I, O>[] }
  | { readonly kind: "undecided"; readonly visited: number };

/** Most configurations that a search looks at unless it is told otherwise. */
const visitedMax = 200_000;

interface Configuration<S> {
  readonly done: bigint;
  readonly state: S;
  /** The operation that led here, and from where. */
  readonly last: number;
  readonly from: Configuration<S> | undefined;
  readonly length: number;
}

/** Judges the history of one object. */
export function checkLinearizable<S, I, O>(
  spec: Spec<S, I, O>,
  history: readonly Operation<I, O>[],
  limit: number = visitedMax,
): Verdict<I, O> {
  const operations = [...history].sort((a, b) => a.call - b.call);
  const needed = operations.reduce((mask, one, i) => (mustHappen(one) ? mask | bit(i) : mask), 0n);
  const start: Configuration<S> = { done: 0n, state: spec.initial, last: -1, from: undefined, length: 0 };
  const seen = new Seen(spec, needed);
  const stack = [start];
  let longest = start;
  for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
    if ((next.done & needed) === needed) return { kind: "linearizable", order: orderOf(operations, next) };
    if (next.length > longest.length) longest = next;
    for (const follower of followersOf(spec, operations, next)) {
      if (!seen.isNew(follower)) continue;
      if (seen.count > limit) return { kind: "undecided", visited: limit };
      stack.push(follower);
    }
  }
  return { kind: "not-linearizable", longest: orderOf(operations, longest) };
}

/** The configurations looked at. Who has come to a state with fewer of the calls that need not happen can do all that others can. */
class Seen<S> {
  readonly #spec: Pick<Spec<S, never, never>, "key">;
  readonly #needed: bigint;
  /** For what must happen and did, and a state: which of the others did. */
  readonly #others = new Map<string, bigint[]>();
  count = 0;

  constructor(spec: Pick<Spec<S, never, never>, "key">, needed: bigint) {
    this.#spec = spec;
    this.#needed = needed;
  }

  /** Adds a configuration, unless one that can do as much is there. */
  isNew({ done, state }: Configuration<S>): boolean {
    const key = `${(done & this.#needed).toString(36)} ${this.#spec.key(state)}`;
    const others = done & ~this.#needed;
    const those = this.#others.get(key);
    if (those?.some((fewer) => (fewer & others) === fewer)) return false;
    this.count += 1;
    if (those === undefined) this.#others.set(key, [others]);
    else those.push(others);
    return true;
  }
}

/**
 * Judges a history of many independent objects: it is linearizable exactly when that of each object is (Herlihy and Wing 1990).
 * The verdict is that of the first that is not.
 */
export function checkEach<S, I, O>(
  spec: Spec<S, I, O>,
  history: readonly Operation<I, O>[],
  objectOf: (input: I) => string,
): Verdict<I, O> {
  const parts = Map.groupBy(history, ({ input }) => objectOf(input));
  const order: Operation<I, O>[] = [];
  for (const part of parts.values()) {
    const verdict = checkLinearizable(spec, part);
    if (verdict.kind !== "linearizable") return verdict;
    order.push(...verdict.order);
  }
  return { kind: "linearizable", order };
}

/**
 * What may come next: nothing that was called after something came back that must happen and is not ordered yet, nothing that
 * came back before something was called that is ordered already. The last is looked at first: what must happen, the earliest call.
 * A call that need not happen and would change nothing here is left out, and so is one that never came back beside an earlier
 * one that is the same. One that must and never changes anything is all that comes
 * next, if that bars nobody: every order that has it later is as good with it here.
 */
function followersOf<S, I, O>(
  spec: Spec<S, I, O>,
  operations: readonly Operation<I, O>[],
  from: Configuration<S>,
): readonly Configuration<S>[] {
  const { candidates, firstBack } = candidatesOf(operations, from.done);
  const key = spec.key(from.state);
  const [loose, needed]: [Configuration<S>[], Configuration<S>[]] = [[], []];
  const open = new Set<string>();
  for (const i of candidates) {
    const operation = operations[i] as Operation<I, O>;
    if (!Number.isFinite(operation.back)) {
      const same = spec.sameAs(operation);
      if (open.has(same)) continue;
      open.add(same);
    }
    for (const state of spec.step(from.state, operation)) {
      const follower = { done: from.done | bit(i), state, last: i, from, length: from.length + 1 };
      if (!mustHappen(operation)) {
        if (spec.key(state) !== key) loose.push(follower);
      } else if (spec.changesNothing(operation) && operation.call <= firstBack) return [follower];
      else needed.push(follower);
    }
  }
  return [...loose.reverse(), ...needed.reverse()];
}

/** Which operations may come next, and when the first of all that are not ordered yet came back. */
function candidatesOf<I, O>(
  operations: readonly Operation<I, O>[],
  done: bigint,
): { readonly candidates: readonly number[]; readonly firstBack: number } {
  const waiting: number[] = [];
  let [firstBack, firstNeeded, lastCall] = [
    Number.POSITIVE_INFINITY,
    Number.POSITIVE_INFINITY,
    Number.NEGATIVE_INFINITY,
  ];
  for (const [i, operation] of operations.entries()) {
    if ((done & bit(i)) !== 0n) {
      lastCall = Math.max(lastCall, operation.call);
      continue;
    }
    waiting.push(i);
    firstBack = Math.min(firstBack, operation.back);
    if (mustHappen(operation)) firstNeeded = Math.min(firstNeeded, operation.back);
  }
  const candidates = waiting.filter((i) => {
    const { call, back } = operations[i] as Operation<I, O>;
    return call <= firstNeeded && back >= lastCall;
  });
  return { candidates, firstBack };
}

function mustHappen({ back, isOptional }: Operation<unknown, unknown>): boolean {
  return Number.isFinite(back) && isOptional !== true;
}

function orderOf<S, I, O>(operations: readonly Operation<I, O>[], end: Configuration<S>): readonly Operation<I, O>[] {
  const order: Operation<I, O>[] = [];
  for (let at: Configuration<S> | undefined = end; at !== undefined; at = at.from) {
    const operation = operations[at.last];
    if (operation !== undefined) order.push(operation);
  }
  return order.reverse();
}

function bit(index: number): bigint {
  return 1n << BigInt(index);
}
