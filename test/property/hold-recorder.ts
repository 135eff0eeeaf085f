import type { Stamps } from "./call-recorder.ts";
import type { Operation } from "./linearizability.ts";
import type { HoldInput } from "./sequential-specs.ts";

/** Somebody says that it has something now, under a number. */
export interface Claim {
  readonly client: number;
  readonly what: string;
  readonly fence: bigint;
}

/**
 * Records who says when that it has something. A claim that is seen began between the last look and this one; one that is seen no
 * more ended before this one. A simulated world looks after everything that happens, so nothing is missed; what is had between two
 * looks of a real one only is not recorded, which never makes a history wrong.
 */
export class HoldRecorder {
  readonly history: Operation<HoldInput, bigint>[] = [];
  #seen = new Map<string, Claim>();
  #lastLook = 0;

  /** Looks at all claims there are now. */
  look(world: Stamps, claims: readonly Claim[]): void {
    const now = world.stamp();
    const seen = new Map(claims.map((claim) => [`${claim.client} ${claim.what} ${claim.fence}`, claim]));
    for (const [key, { client, what }] of this.#seen) {
      if (seen.has(key)) continue;
      const back = Number.POSITIVE_INFINITY;
      this.history.push({ client, call: now, back, input: { do: "end", what }, output: undefined });
    }
    for (const [key, { client, what, fence }] of seen) {
      if (this.#seen.has(key)) continue;
      this.history.push({ client, call: this.#lastLook, back: now, input: { do: "take", what }, output: fence });
    }
    this.#seen = seen;
    this.#lastLook = now;
  }
}
