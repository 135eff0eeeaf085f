import type { Clock, Duration } from "../base/clock.ts";
import { formatExposition } from "../base/exposition.ts";
import { counterFamilies, Histogram, MetricSamples, type MetricSpecs } from "../base/metric-family.ts";
import type { CounterSource } from "../base/metrics.ts";
import { PROCESS_METRICS, type ProcessMetrics } from "../base/process-metrics.ts";
import { STORE_CLIENT_METRICS, type StoreClientMetrics } from "../store/store-client-metrics.ts";
import { recyclerMetrics } from "../store/upkeep/recycler-metrics.ts";

/** What the API server tells of its requests and of the cloud as it sees it. */
export const REQUEST_METRICS = {
  weft_api_requests_total: {
    type: "counter",
    help: "requests answered, by operation (none: no such path) and status",
    labels: ["operation", "status"],
  },
  weft_api_request_seconds: { type: "histogram", help: "time from a request's arrival to its answer" },
  weft_api_watches: { type: "gauge", help: "clients that follow changes now" },
  weft_hosts_alive: { type: "gauge", help: "hosts whose agents hold a session" },
} as const satisfies MetricSpecs;

/** Everything that the API server tells, but what its driver of the store counts. */
export const API_METRICS: MetricSpecs = {
  ...PROCESS_METRICS,
  ...STORE_CLIENT_METRICS,
  ...REQUEST_METRICS,
  ...counterFamilies(recyclerMetrics),
};

/** Upper bounds in seconds: reads come from memory, a change is a commit of the store. */
const BOUNDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** What the metrics of an API server are made of. */
export interface ApiMetricParts {
  readonly clock: Clock;
  readonly process: ProcessMetrics;
  readonly storeClient: StoreClientMetrics;
  readonly storeCounters: CounterSource;
  aliveHosts(): number;
  /** What this process counts as a recycler. */
  recycler(): Readonly<Record<string, number>>;
}

/** Measures one API server. */
export class ApiMetrics {
  readonly #parts: ApiMetricParts;
  readonly #requests = new Map<string, number>();
  readonly #latency = new Histogram(BOUNDS);
  /** Told by the server that it is. */
  watches: () => number = () => 0;

  constructor(parts: ApiMetricParts) {
    this.#parts = parts;
  }

  /** Takes one answered request. */
  answered(operation: string, status: number, span: Duration): void {
    const key = `${operation} ${status}`;
    this.#requests.set(key, (this.#requests.get(key) ?? 0) + 1);
    this.#latency.observe(span / 1_000);
  }

  /** The present values, in Prometheus' text format. */
  text(): string {
    const { process, storeClient, storeCounters, aliveHosts, recycler } = this.#parts;
    const samples = new MetricSamples({ ...API_METRICS, ...counterFamilies(storeCounters.catalogue) });
    process.collect(samples);
    storeClient.collect(samples);
    samples.addCounters(storeCounters.catalogue, storeCounters.snapshot());
    for (const [key, count] of this.#requests) {
      const [operation = "", status = ""] = key.split(" ");
      samples.add("weft_api_requests_total", count, { operation, status });
    }
    samples.addHistogram("weft_api_request_seconds", this.#latency);
    samples.add("weft_api_watches", this.watches());
    samples.add("weft_hosts_alive", aliveHosts());
    samples.addCounters(recyclerMetrics, recycler());
    return formatExposition(samples.families());
  }

  /** Ends what the process measures about itself. */
  close(): void {
    this.#parts.process.close();
  }
}
