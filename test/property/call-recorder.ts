import type { Operation } from "./linearizability.ts";

/** Where times of a history come from; each is greater than the one before. */
export interface Stamps {
  stamp(): number;
}

/** Records calls with their beginning and end, in the time of a world, simulated or real. What has no outcome stays open. */
export class CallRecorder<I, O> {
  readonly #world: Stamps;
  readonly #operations: Operation<I, O>[] = [];

  constructor(world: Stamps) {
    this.#world = world;
  }

  /** Runs one call; it comes to an output, or to undefined when what it did is unknown. The value is what was recorded. */
  async record(client: number, input: I, run: () => Promise<O | undefined>): Promise<Operation<I, O>> {
    const call = this.#world.stamp();
    const index = this.#operations.length;
    const open = { client, call, back: Number.POSITIVE_INFINITY, input, output: undefined };
    this.#operations.push(open);
    const output = await run();
    if (output === undefined) return open;
    const closed = { client, call, back: this.#world.stamp(), input, output };
    this.#operations[index] = closed;
    return closed;
  }

  /** Adds that a call may have taken effect once more while it lasted, without saying so. */
  addEcho(original: Operation<I, O>): void {
    this.#operations.push({ ...original, output: undefined, isOptional: true });
  }

  /** Everything so far. */
  history(): readonly Operation<I, O>[] {
    return this.#operations;
  }
}
