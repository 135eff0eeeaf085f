import { CHAINS_PER_FILTER_MAX } from "../model/limits.ts";

/** Chains that one evaluation of a filter has entered. Each is entered once, so that a loop of jumps ends. */
export class EnteredChains {
  #count = 0;
  readonly #handles = new Int32Array(CHAINS_PER_FILTER_MAX);
  #isShort = false;

  /** Begins another evaluation. */
  clear(): void {
    this.#count = 0;
    this.#isShort = false;
  }

  /** Notes a chain; false when there is no room to: the filter cannot be evaluated. */
  enter(handle: number): boolean {
    if (this.#count === CHAINS_PER_FILTER_MAX) this.#isShort = true;
    else this.#handles[this.#count++] = handle;
    return !this.#isShort;
  }

  /** True for a chain that has been entered. */
  has(handle: number): boolean {
    for (let i = 0; i < this.#count; i++) if (this.#handles[i] === handle) return true;
    return false;
  }

  /** True once there was no room for a chain. */
  get isShort(): boolean {
    return this.#isShort;
  }
}
