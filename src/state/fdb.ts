import type { Mac } from "../addr/mac.ts";
import type { Duration, Instant } from "../base/clock.ts";

/** One learned binding; `bridge` and `port` are handles, `vlan` 0: untagged, or bridge not VLAN-aware. */
export interface FdbBinding {
  readonly bridge: number;
  readonly vlan: number;
  readonly mac: Mac;
  readonly port: number;
}

/** Times of FDB learning. */
export interface FdbSettings {
  /** How long an entry stays after the last flow that used it. */
  readonly lingerMs: Duration;
  /** Time between two sweeps. */
  readonly sweepMs: Duration;
}

/** What the learner wants done with the bridge's FDB (a replicated map, our own opinion, ephemeral). */
export type FdbEffect =
  | { readonly kind: "write"; readonly binding: FdbBinding }
  | { readonly kind: "remove"; readonly binding: FdbBinding };

/**
 * Signatures of the learner (see the class). A binding that a flow uses has a number, the *reference*, which stands in the
 * flow's tag set; `held` and `released` are the `ReferenceListener` of `flow/tag-index.ts`.
 */
export interface FdbLearnerApi {
  /** The number of a binding. It stays the same while flows hold it, and for `lingerMs` after. Writes nothing. */
  reference(binding: FdbBinding, now: Instant): number;
  /** A packet with this source came in: write the binding unless we own it already. */
  use(reference: number, now: Instant): void;
  held(reference: number): void;
  released(reference: number): void;
  shouldProcess(now: Instant): boolean;
  /** Sweeps when due; hands out what is to be written and removed. */
  process(now: Instant): readonly FdbEffect[];
}
