import type { Figure } from "./figure.ts";
import type { Pace } from "./pace.ts";
import type { BenchSite } from "./site.ts";
import type { BuiltForm } from "./weft-cloud.ts";

/** What a group of figures is measured with. */
export interface Bench {
  readonly site: BenchSite;
  readonly pace: Pace;
  readonly form: BuiltForm;
  /** Shows what is going on, in one line. */
  progress(text: string): void;
}

/** Figures that are measured together. */
export interface BenchGroup {
  readonly name: string;
  /** Names of its figures. */
  readonly figures: readonly string[];
  /** Needs root, namespaces and eBPF. */
  readonly isNative: boolean;
  run(bench: Bench): Promise<readonly Figure[]>;
}
