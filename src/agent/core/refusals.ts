import type { Instant } from "../../base/clock.ts";
import { KEEPALIVE_REFUSED, KEEPALIVE_WORDS, PEER_MAX } from "../../flow/layout.ts";

/**
 * Which peers' keep-alives the datapath has refused lately. A peer whose secret is another one lives and cannot prove it: that is to
 * be told from a path that carries too little. What was counted before this process is not news.
 */
export class Refusals {
  readonly #keepAlives: Uint32Array;
  readonly #counts = new Uint32Array(PEER_MAX);
  readonly #newest = new Map<number, Instant>();

  constructor(keepAlives: Uint32Array) {
    this.#keepAlives = keepAlives;
    for (let peer = 1; peer < PEER_MAX; peer++) this.#counts[peer] = this.#count(peer);
  }

  /** Looks at every peer; true when something was refused since the last look. */
  look(now: Instant): boolean {
    let isAny = false;
    for (let peer = 1; peer < PEER_MAX; peer++) {
      const count = this.#count(peer);
      if (count === this.#counts[peer]) continue;
      // A record that was cleared for another host begins at 0.
      const isRefused = count > (this.#counts[peer] as number);
      this.#counts[peer] = count;
      if (isRefused) this.#newest.set(peer, now);
      else this.#newest.delete(peer);
      isAny ||= isRefused;
    }
    return isAny;
  }

  /** When a look last found one of this peer refused; undefined: never. */
  newest(peer: number): Instant | undefined {
    return this.#newest.get(peer);
  }

  #count(peer: number): number {
    return this.#keepAlives[peer * KEEPALIVE_WORDS + KEEPALIVE_REFUSED] as number;
  }
}
