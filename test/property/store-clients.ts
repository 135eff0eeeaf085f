import type { Result } from "../../src/base/result.ts";
import type { StateValue } from "../../src/store/recipes/state-keys.ts";
import { TreeStateKeys } from "../../src/store/recipes/tree-state-keys.ts";
import type { TreeError } from "../../src/store/tree.ts";
import type { CallRecorder } from "./call-recorder.ts";
import type { ConnectedProcess } from "./contenders.ts";
import type { KeyInput, NodeInput } from "./sequential-specs.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** What a client of nodes can be told to do. */
export type NodeAct = "create" | "set" | "set-version" | "remove" | "get";

/** Does things to two nodes, many at once, each value once. */
export class NodeClient {
  readonly #process: ConnectedProcess;
  readonly #client: number;
  readonly #recorder: CallRecorder<NodeInput, string>;
  #count = 0;
  /** The version that it saw last. */
  #version = 0;

  constructor(process: ConnectedProcess, client: number, recorder: CallRecorder<NodeInput, string>) {
    this.#process = process;
    this.#client = client;
    this.#recorder = recorder;
  }

  /** Begins; the outcome is recorded when there is one. */
  do(act: NodeAct): void {
    this.#count += 1;
    const path = this.#count % 3 === 0 ? "/b" : "/a";
    const value = `${this.#client}.${this.#count}`;
    const input = inputOf(act, { path, value, version: this.#version });
    void this.#recorder.record(this.#client, input, () => this.#run(input));
  }

  async #run(input: NodeInput): Promise<string | undefined> {
    const { tree } = this.#process.connection;
    const { path } = input;
    switch (input.do) {
      case "create":
        return told(await tree.create(path, encoder.encode(input.value)));
      case "set":
        return told(await tree.set(path, encoder.encode(input.value), input.version));
      case "remove":
        return told(await tree.remove(path, input.version));
      case "get": {
        const read = await tree.get(path);
        if (!read.ok) return told(read);
        this.#version = read.value.stat.version;
        return `${read.value.stat.version} ${decoder.decode(read.value.data)}`;
      }
    }
  }
}

function inputOf(
  act: NodeAct,
  { path, value, version }: { readonly path: string; readonly value: string; readonly version: number },
): NodeInput {
  if (act === "create") return { do: "create", path, value };
  if (act === "get") return { do: "get", path };
  if (act === "remove") return { do: "remove", path, version: -1 };
  return { do: "set", path, value, version: act === "set" ? -1 : version };
}

/** `done`, or which answer; undefined when the call may have happened or not. */
function told(result: Result<unknown, TreeError>): string | undefined {
  if (result.ok) return "done";
  const { kind } = result.error;
  return kind === "connection-loss" || kind === "session-expired" || kind === "closed" ? undefined : kind;
}

const key = { kind: "port", id: "p1", name: "active" };

/**
 * Claims, clears and reads one state key, one thing at a time. A claim whose connection breaks is made again when somebody else
 * has taken the key since: it takes effect at least once, and at most once more for each break.
 */
export class KeyClient {
  readonly #keys: TreeStateKeys;
  readonly #client: number;
  readonly #recorder: CallRecorder<KeyInput, string>;
  #count = 0;
  #breaks = 0;
  #isBusy = false;

  constructor(process: ConnectedProcess, client: number, recorder: CallRecorder<KeyInput, string>) {
    this.#keys = new TreeStateKeys(process.connection);
    process.connection.onState((state) => {
      if (state === "suspended") this.#breaks += 1;
    });
    this.#client = client;
    this.#recorder = recorder;
  }

  /** Begins, unless the last thing is not done yet. `ownerOf` says which client a session belongs to. */
  do(act: KeyInput["do"], ownerOf: (session: bigint) => number): void {
    if (this.#isBusy) return;
    this.#isBusy = true;
    this.#count += 1;
    const text = `${this.#client}.${this.#count}`;
    const input: KeyInput = act === "first" || act === "last" ? { do: act, text } : { do: act };
    const run = async (): Promise<void> => {
      const breaks = this.#breaks;
      const made = await this.#recorder.record(this.#client, input, () => this.#run(input, ownerOf));
      const isClaim = input.do === "first" || input.do === "last";
      if (isClaim) for (let i = breaks; i < this.#breaks; i++) this.#recorder.addEcho(made);
      this.#isBusy = false;
    };
    void run();
  }

  async #run(input: KeyInput, ownerOf: (session: bigint) => number): Promise<string | undefined> {
    const shown = (held: Pick<StateValue, "owner" | "text">): string => `${ownerOf(held.owner)} ${held.text}`;
    if (input.do === "get") {
      const read = await this.#keys.get(key);
      return read.ok ? (read.value === undefined ? "none" : shown(read.value)) : undefined;
    }
    const set = input.do === "clear" ? this.#keys.clear(key) : this.#keys.set(key, input.text, { writer: input.do });
    const outcome = await set;
    if (outcome.ok) return "done";
    const { error } = outcome;
    return error.kind === "held" ? shown({ owner: error.owner, text: error.value }) : undefined;
  }
}
