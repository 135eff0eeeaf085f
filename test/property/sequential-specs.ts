import type { Operation, Spec } from "./linearizability.ts";

/** What a register is asked: to hold a value, or what it holds; a compare-and-set says whether it did. */
export type RegisterInput =
  | { readonly do: "write"; readonly value: string }
  | { readonly do: "read" }
  | { readonly do: "compare-and-set"; readonly expected: string; readonly value: string };

/** The value read, or whether a compare-and-set took place; "" after a write. */
export type RegisterOutput = string | boolean;

/** A register that holds "" at first. */
export const registerSpec: Spec<string, RegisterInput, RegisterOutput> = {
  initial: "",
  step(state, { input, output }) {
    switch (input.do) {
      case "write":
        return [input.value];
      case "read":
        return output === undefined || output === state ? [state] : [];
      case "compare-and-set": {
        const takesPlace = state === input.expected;
        if (output !== undefined && output !== takesPlace) return [];
        return [takesPlace ? input.value : state];
      }
    }
  },
  changesNothing: ({ input, output }) => input.do === "read" || output === false,
  sameAs: ({ input }) => JSON.stringify(input),
  key: (state) => state,
};

/** What one node of a tree is asked. `version` -1 matches any. */
export type NodeInput = { readonly path: string } & (
  | { readonly do: "create"; readonly value: string }
  | { readonly do: "set"; readonly value: string; readonly version: number }
  | { readonly do: "remove"; readonly version: number }
  | { readonly do: "get" }
);

/** What a node says: what it holds (`done` after a write), or why not. */
export type NodeOutput = string;

/** A node, or none. */
export interface NodeState {
  readonly value: string;
  readonly version: number;
}

/** One node of a tree: a map is many of them, judged each by itself. */
export const nodeSpec: Spec<NodeState | undefined, NodeInput, NodeOutput> = {
  initial: undefined,
  step(state, { input, output }) {
    const [says, after] = nodeAnswer(state, input);
    return output === undefined || output === says ? [after] : [];
  },
  changesNothing: ({ input, output }) => input.do === "get" || (output !== undefined && output !== "done"),
  sameAs: ({ input }) => JSON.stringify(input),
  key: (state) => (state === undefined ? "" : `${state.version} ${state.value}`),
};

/**
 * The same history with the values that nobody has read all called "unseen": which of them a node held when, no answer depends on,
 * and a search need not try each of them where one would do.
 */
export function unseenAlike(history: readonly Operation<NodeInput, NodeOutput>[]): Operation<NodeInput, NodeOutput>[] {
  const seen = new Set(history.map(({ output }) => output?.split(" ")[1]));
  return history.map((operation) => {
    const { input } = operation;
    if (!("value" in input) || seen.has(input.value)) return operation;
    return { ...operation, input: { ...input, value: "unseen" } };
  });
}

function nodeAnswer(state: NodeState | undefined, input: NodeInput): readonly [NodeOutput, NodeState | undefined] {
  if (input.do === "get") return [state === undefined ? "no-node" : `${state.version} ${state.value}`, state];
  if (input.do === "create") {
    return state === undefined ? ["done", { value: input.value, version: 0 }] : ["node-exists", state];
  }
  if (state === undefined) return ["no-node", state];
  if (input.version !== -1 && input.version !== state.version) return ["bad-version", state];
  return ["done", input.do === "set" ? { value: input.value, version: state.version + 1 } : undefined];
}

/** What a state key is asked, by the client of the operation. */
export type KeyInput =
  | { readonly do: "first" | "last"; readonly text: string }
  | { readonly do: "clear" }
  | { readonly do: "get" };

/** `done`, what is held as `client text`, or `none`. */
export type KeyOutput = string;

/** Who holds a key, and what it says. */
export interface KeyState {
  readonly owner: number;
  readonly text: string;
}

/** A state key while no session ends. */
export const stateKeySpec: Spec<KeyState | undefined, KeyInput, KeyOutput> = {
  initial: undefined,
  step(state, { input, output, client }) {
    const held = state === undefined ? "none" : `${state.owner} ${state.text}`;
    const isOthers = state !== undefined && state.owner !== client;
    if (input.do === "get") return output === undefined || output === held ? [state] : [];
    const isRefused = input.do === "first" && isOthers;
    if (output !== undefined && output !== (isRefused ? held : "done")) return [];
    if (isRefused) return [state];
    if (input.do === "clear") return [isOthers ? state : undefined];
    return [{ owner: client, text: input.text }];
  },
  changesNothing: ({ input, output }) => input.do === "get" || (output !== undefined && output !== "done"),
  sameAs: ({ client, input }) => JSON.stringify([client, input]),
  key: (state) => (state === undefined ? "" : `${state.owner} ${state.text}`),
};

/**
 * What is owned by one at a time (a lock, the leadership, a lease). `take` comes back with the fencing number; `end` is the end of
 * the time during which its owner says that it has it: it is called then, and takes effect at any time after.
 */
export interface HoldInput {
  readonly do: "take" | "end";
  /** The thing, where there are many. */
  readonly what: string;
}

/** Who holds a thing, who held it last, and the highest number so far. */
export interface HoldState {
  readonly isHeld: boolean;
  readonly last: number | undefined;
  readonly fence: bigint;
}

/** One owner at a time, with growing numbers. Who had it last may have it again under its number: nobody had it between. */
export const holdSpec: Spec<HoldState, HoldInput, bigint> = {
  initial: { isHeld: false, last: undefined, fence: -1n },
  step({ isHeld, last, fence }, { input, output, client }: Operation<HoldInput, bigint>) {
    if (input.do === "end") return isHeld && last === client ? [{ isHeld: false, last, fence }] : [];
    if (isHeld || output === undefined || output < fence) return [];
    return output > fence || last === client ? [{ isHeld: true, last: client, fence: output }] : [];
  },
  changesNothing: () => false,
  sameAs: ({ client, input }) => JSON.stringify([client, input]),
  key: ({ isHeld, last, fence }) => `${isHeld} ${last} ${fence}`,
};
