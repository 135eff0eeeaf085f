import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { checkEach, checkLinearizable, type Operation, type Spec } from "./linearizability.ts";
import {
  type HoldInput,
  holdSpec,
  type KeyInput,
  type NodeInput,
  nodeSpec,
  type RegisterInput,
  type RegisterOutput,
  registerSpec,
  stateKeySpec,
  unseenAlike,
} from "./sequential-specs.ts";

const never = Number.POSITIVE_INFINITY;

/** `[client, call, back, input, output]`, as one line of a history. */
type Line<I, O> = readonly [client: number, call: number, back: number, input: I, output: O | undefined];

function history<I, O>(...lines: readonly Line<I, O>[]): readonly Operation<I, O>[] {
  return lines.map(([client, call, back, input, output]) => ({ client, call, back, input, output }));
}

function verdict<S, I, O>(spec: Spec<S, I, O>, ...lines: readonly Line<I, O>[]): string {
  return checkLinearizable(spec, history(...lines)).kind;
}

const write = (value: string): RegisterInput => ({ do: "write", value });
const read: RegisterInput = { do: "read" };
const cas = (expected: string, value: string): RegisterInput => ({ do: "compare-and-set", expected, value });
const take: HoldInput = { do: "take", what: "x" };
const end: HoldInput = { do: "end", what: "x" };

describe("linearizability", () => {
  test("known good histories are found good", () => {
    const good = [
      verdict(registerSpec),
      verdict(registerSpec, [1, 0, 9, write("a"), ""], [2, 1, 2, read, ""], [2, 3, 4, read, "a"]),
      verdict(registerSpec, [1, 0, 5, write("a"), ""], [2, 1, 6, write("b"), ""], [3, 7, 8, read, "a"]),
      verdict(registerSpec, [1, 0, 5, cas("", "a"), true], [2, 1, 6, cas("", "b"), false]),
      // Open: it took effect long after it was called, or never.
      verdict(registerSpec, [1, 0, never, write("a"), undefined], [2, 1, 2, read, ""], [2, 3, 4, read, "a"]),
      verdict(registerSpec, [1, 0, never, write("a"), undefined], [2, 5, 6, read, ""]),
      verdict(holdSpec, [1, 0, 1, take, 5n], [1, 3, never, end, undefined], [2, 2, 4, take, 6n]),
      verdict(holdSpec, [1, 0, 1, take, 5n], [1, 3, never, end, undefined], [1, 4, 5, take, 5n]),
      verdict(stateKeySpec, [1, 0, 3, key("first", "a"), "done"], [2, 1, 4, key("first", "b"), "1 a"]),
    ];
    assert.deepEqual(new Set(good), new Set(["linearizable"]));
  });

  test("known bad histories are found bad", () => {
    const bad = [
      // A stale read; a value that goes back; a value from nowhere; a write that takes effect twice.
      verdict(registerSpec, [1, 0, 1, write("a"), ""], [2, 2, 3, read, ""]),
      verdict(registerSpec, [1, 0, 9, write("a"), ""], [2, 1, 2, read, "a"], [3, 3, 4, read, ""]),
      verdict(registerSpec, [1, 0, 1, read, "z"]),
      verdict(
        registerSpec,
        [1, 0, 9, write("a"), ""],
        [2, 1, 2, read, "a"],
        [2, 3, 4, write("b"), ""],
        [3, 5, 6, read, "a"],
      ),
      verdict(registerSpec, [1, 0, 5, cas("", "a"), true], [2, 1, 6, cas("", "b"), true]),
      // Taken while it is held; a number that does not grow; an end that never began.
      verdict(holdSpec, [1, 0, 1, take, 5n], [2, 2, 3, take, 6n], [1, 4, never, end, undefined]),
      verdict(holdSpec, [1, 0, 1, take, 5n], [1, 2, never, end, undefined], [2, 3, 4, take, 5n]),
      verdict(holdSpec, [1, 0, 1, take, 5n], [1, 2, never, end, undefined], [2, 3, 4, take, 4n]),
      verdict(holdSpec, [1, 0, 1, end, undefined]),
      verdict(stateKeySpec, [1, 0, 1, key("first", "a"), "done"], [2, 2, 3, key("first", "b"), "done"]),
    ];
    assert.deepEqual(new Set(bad), new Set(["not-linearizable"]));
  });

  test("a map is judged key by key, and one bad key is enough", () => {
    const create = (path: string, value: string): NodeInput => ({ do: "create", path, value });
    const lines: Line<NodeInput, string>[] = [
      [1, 0, 1, create("/a", "1"), "done"],
      [2, 0, 1, create("/b", "2"), "done"],
      [1, 2, 3, { do: "set", path: "/a", value: "3", version: 0 }, "done"],
      [2, 4, 5, { do: "get", path: "/a" }, "1 3"],
      [2, 6, 7, { do: "remove", path: "/b", version: 7 }, "bad-version"],
    ];
    const byPath = (input: NodeInput): string => input.path;
    assert.equal(checkEach(nodeSpec, history(...lines), byPath).kind, "linearizable");
    const stale: Line<NodeInput, string> = [1, 8, 9, { do: "get", path: "/b" }, "no-node"];
    const bad = checkEach(nodeSpec, history(...lines, stale), byPath);
    assert.equal(bad.kind, "not-linearizable");
    assert.equal(bad.kind === "not-linearizable" && bad.longest.length, 2);
  });

  test("a search that grows too large is given up and says so", () => {
    const lines = Array.from({ length: 24 }, (_, i): Line<RegisterInput, RegisterOutput> => {
      return [i, 0, 100, write(String(i)), ""];
    });
    const wrong: Line<RegisterInput, RegisterOutput> = [99, 200, 201, read, "z"];
    const given = checkLinearizable(registerSpec, history(...lines, wrong), 1_000);
    assert.deepEqual(given, { kind: "undecided", visited: 1_000 });
  });

  test("of what never came back, and nobody has read, one is as good as another", () => {
    const set = (value: string): NodeInput => ({ do: "set", path: "/a", value, version: -1 });
    const get = (at: number, answer: string): Line<NodeInput, string> => [
      9,
      at,
      at + 1,
      { do: "get", path: "/a" },
      answer,
    ];
    const open = Array.from({ length: 60 }, (_, i): Line<NodeInput, string> => {
      const input: NodeInput = i % 3 === 0 ? { do: "remove", path: "/a", version: -1 } : set(`${i}`);
      return [i % 3, i, never, input, undefined];
    });
    const create: Line<NodeInput, string> = [9, 0, 1, { do: "create", path: "/a", value: "first" }, "done"];
    const verdictOf = (...gets: readonly Line<NodeInput, string>[]): string =>
      checkLinearizable(nodeSpec, unseenAlike(history(create, ...open, ...gets)), 2_000).kind;
    assert.equal(verdictOf(get(70, "20 49"), get(72, "21 50")), "linearizable");
    assert.equal(verdictOf(get(70, "20 49"), get(72, "19 50")), "not-linearizable");
    assert.equal(verdictOf(get(70, "41 49")), "not-linearizable");
  });

  test("the search finds what trying every order finds", () => {
    const kinds = { linearizable: 0, "not-linearizable": 0, undecided: 0 };
    fc.assert(
      fc.property(fc.array(anyOperation, { minLength: 1, maxLength: 6 }), (operations) => {
        const found = checkLinearizable(registerSpec, operations).kind;
        kinds[found] += 1;
        assert.equal(found, hasOrder(operations, registerSpec.initial) ? "linearizable" : "not-linearizable");
      }),
      { numRuns: 20_000, seed: 4 },
    );
    assert.ok(kinds.linearizable > 300 && kinds["not-linearizable"] > 300, JSON.stringify(kinds));
  });
});

function key(how: "first" | "last", text: string): KeyInput {
  return { do: how, text };
}

const values = fc.constantFrom("", "a", "b");
const anyOperation: fc.Arbitrary<Operation<RegisterInput, RegisterOutput>> = fc
  .record({
    client: fc.nat({ max: 3 }),
    call: fc.nat({ max: 12 }),
    takes: fc.oneof(fc.nat({ max: 6 }), fc.constant(never)),
    isOptional: fc.boolean(),
    said: fc.oneof(
      values.map((value) => [write(value), ""] as const),
      values.map((value) => [read, value] as const),
      fc.tuple(values, values, fc.boolean()).map(([from, to, did]) => [cas(from, to), did] as const),
    ),
  })
  .map(({ client, call, takes, isOptional, said: [input, output] }) => {
    return { client, call, back: call + takes, input, output: takes === never ? undefined : output, isOptional };
  });

/** Every order of every choice, without memory: slow and plain. */
function hasOrder(operations: readonly Operation<RegisterInput, RegisterOutput>[], state: string): boolean {
  const [loose, needed] = [operations.filter(mayBeMissing), operations.filter((one) => !mayBeMissing(one))];
  const choices = Array.from({ length: 2 ** loose.length }, (_, bits) => loose.filter((_, i) => (bits >> i) & 1));
  return choices.some((chosen) => canOrder([...needed, ...chosen], state));
}

function mayBeMissing({ back, isOptional }: Operation<RegisterInput, RegisterOutput>): boolean {
  return back === never || isOptional === true;
}

function canOrder(left: readonly Operation<RegisterInput, RegisterOutput>[], state: string): boolean {
  if (left.length === 0) return true;
  return left.some((operation) => {
    const others = left.filter((other) => other !== operation);
    if (others.some(({ back }) => back < operation.call)) return false;
    return registerSpec.step(state, operation).some((after) => canOrder(others, after));
  });
}
