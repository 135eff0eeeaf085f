import { CHAINS_MAX } from "./limits.ts";

/** Chains that one evaluation of a filter has entered. Each is entered once, so that a loop of jumps ends. */
export class EnteredChains {
  count = 0;
  readonly #handles = new Int32Array(CHAINS_MAX);

  /** Notes a chain. */
  add(handle: number): void {
    if (this.count < CHAINS_MAX) this.#handles[this.count++] = handle;
  }

  /** True for a chain that has not been entered, while there is room to note it. */
  mayEnter(handle: number): boolean {
    for (let i = 0; i < this.count; i++) if (this.#handles[i] === handle) return false;
    return this.count < CHAINS_MAX;
  }
}
