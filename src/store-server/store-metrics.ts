import { formatExposition } from "../base/exposition.ts";
import { counterFamilies, MetricSamples, type MetricSpecs } from "../base/metric-family.ts";
import { PROCESS_METRICS, type ProcessMetrics } from "../base/process-metrics.ts";
import { storeServerCatalogue } from "./counters.ts";
import type { StoreServer } from "./server.ts";

/** What only the embedded server tells, beyond its counters. */
export const STORE_STATE_METRICS = {
  weft_store_zxid: { type: "gauge", help: "number of the last transaction" },
  weft_store_disk_full: { type: "gauge", help: "1 while writes are refused because the disk is full" },
} as const satisfies MetricSpecs;

/** Everything that the embedded server tells. */
export const STORE_SERVER_METRICS: MetricSpecs = {
  ...PROCESS_METRICS,
  ...STORE_STATE_METRICS,
  ...counterFamilies(storeServerCatalogue),
};

/** The present values, in Prometheus' text format. */
export function storeMetricsText(server: StoreServer, process: ProcessMetrics): string {
  const samples = new MetricSamples(STORE_SERVER_METRICS);
  process.collect(samples);
  samples.add("weft_store_zxid", server.tree.zxid);
  samples.add("weft_store_disk_full", server.isFull ? 1 : 0);
  samples.addCounters(storeServerCatalogue, server.measured().snapshot());
  return formatExposition(samples.families());
}
