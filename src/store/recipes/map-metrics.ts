import type { MetricSamples, MetricSpecs } from "../../base/metric-family.ts";
import { Counters } from "../../base/metrics.ts";
import { replicatedMapMetrics } from "./tree-replicated-map.ts";

/** What a process tells of the replicated maps that it follows; their events are in `replicatedMapMetrics`. */
export const MAP_METRICS = {
  weft_maps_open: { type: "gauge", help: "replicated maps that are followed, by kind", labels: ["map"] },
  weft_map_entries: { type: "gauge", help: "keys of the maps that are followed, by kind", labels: ["map"] },
  weft_map_own_opinions: { type: "gauge", help: "opinions of this process in the store, by kind", labels: ["map"] },
} as const satisfies MetricSpecs;

/** A map as far as it is measured. */
export interface MeasuredMap {
  /** Keys. */
  readonly size: number;
  /** Nodes in the store that are ours. */
  readonly ownOpinions: number;
}

/** The replicated maps of a process, to be measured. */
export class MapMetrics {
  /** Given to every map that is opened. */
  readonly counters = new Counters(replicatedMapMetrics);
  readonly #maps = new Map<string, Set<MeasuredMap>>();

  /** Measures a map from now on. The value ends it. */
  add(kind: string, map: MeasuredMap): () => void {
    const maps = this.#maps.get(kind) ?? new Set();
    this.#maps.set(kind, maps);
    maps.add(map);
    return () => void maps.delete(map);
  }

  /** Adds the present values. */
  collect(samples: MetricSamples): void {
    for (const [kind, maps] of this.#maps) {
      let [entries, own] = [0, 0];
      for (const map of maps) {
        entries += map.size;
        own += map.ownOpinions;
      }
      samples.add("weft_maps_open", maps.size, { map: kind });
      samples.add("weft_map_entries", entries, { map: kind });
      samples.add("weft_map_own_opinions", own, { map: kind });
    }
    samples.addCounters(replicatedMapMetrics, this.counters.snapshot());
  }
}
